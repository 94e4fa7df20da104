"""Published API descriptions and SDKs -> catalogs. Never on the data path; run by `mappers import`."""
