"""What the change costs and saves, beside stock and what upstream has since done."""
