"""What a picture is compared by: extractors turn pictures into features."""
