"""Ship trained models to devices, with proof that they draw the same pictures."""
