"""What students import. It knows no answer."""
