import Shortlist
