"""The judge: pure folds over the event stream, from SLIs to the verdict."""
