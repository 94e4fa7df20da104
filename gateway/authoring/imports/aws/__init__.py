"""botocore's models, endpoint rules and IAM's access levels -> rows."""
