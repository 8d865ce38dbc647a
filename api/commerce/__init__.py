"""Baskets, orders, discounts and products."""
