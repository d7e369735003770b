"""Federation: questions to several installations, each under its own decision; decision page in decisions/."""
