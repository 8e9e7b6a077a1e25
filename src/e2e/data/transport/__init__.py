"""How public files come here: from a link of CERNBox, or from a folder of any web server.

Files that are here already need none of this: they are read where they are. Another kind of server is a
class of ``web.Place``, which ``fetch.place`` chooses.
"""
