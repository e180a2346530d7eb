"""A node as a picture: which boxes there are and what joins them, as Graphviz text, as SVG."""
