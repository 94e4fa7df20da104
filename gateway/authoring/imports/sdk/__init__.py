"""The source of providers' SDKs -> the calls that they send, and those -> rows."""
