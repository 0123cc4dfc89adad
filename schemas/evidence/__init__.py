"""What the files of the evidence hold, as data: verdict, manifest, comparison, prediction and the like."""
