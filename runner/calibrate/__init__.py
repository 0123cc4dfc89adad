"""From a run's event stream to the parameters of the model, and a check of them by a part of the run that was held back."""
