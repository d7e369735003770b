"""The words of the service: frozen dataclasses and enums, with no input, output or SQL."""
