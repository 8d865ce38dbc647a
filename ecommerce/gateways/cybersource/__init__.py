"""CyberSource: the buyer pays on its Secure Acceptance Hosted Checkout; everything else goes through its REST API."""
