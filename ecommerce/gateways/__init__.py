"""Ways to pay. A gateway knows no tables: frozen data in, frozen data out."""
