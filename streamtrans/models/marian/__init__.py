"""Firefox's translation models: Marian encoder-decoders with an SSRU decoder and int8 weights."""
