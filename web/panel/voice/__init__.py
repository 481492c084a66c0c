"""The kiosk's voice: which texts are heard, in which language, from which clip, how loud.

Owns the catalogue of slots, the shipped synthetic clips with their manifest, the site's own recordings and the route
that hands clips to the page. Refuses to speak anything personal: a clip is made ahead, so it cannot hold a name or a
number.
"""
