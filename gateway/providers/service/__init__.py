"""Other HTTP upstreams beside the models: what they are asked, and what they answer. Pure."""
