"""What each operation means; no sockets, SQL or PKCS#11."""
