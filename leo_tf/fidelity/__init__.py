"""The model beside recorded runs of the published code."""
