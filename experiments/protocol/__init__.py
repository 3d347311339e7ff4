"""The field's tables: trained on their sources, judged on their targets."""
