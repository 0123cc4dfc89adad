"""The scenario language and the gate language: from text to a typed, frozen scenario."""
