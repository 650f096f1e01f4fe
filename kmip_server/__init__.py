"""A KMIP key management server for appliances."""

__version__ = "0.1.0"

VENDOR_IDENTIFICATION = f"kmip-key-server {__version__}"
