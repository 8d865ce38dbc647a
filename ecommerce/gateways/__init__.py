"""Payment gateways. They know no tables: frozen data goes in and comes out."""
