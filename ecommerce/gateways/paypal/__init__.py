"""PayPal: the buyer approves an order on PayPal's page, and we capture it (Orders v2; ADR 0046)."""
