"""One run on several devices of one machine: the job process starts a rank for each, and watches over them."""
