"""What each operation means; no sockets, SQL or PKCS#11.

Importing this room registers every operation: a new one is a new file and a name in this list.
"""
