"""Published API descriptions and SDKs -> catalogs. Run by `mappers import`, never by a gateway."""
