"""Steps of the shipped networks, predicted and measured: a log, and the tables that are made of it."""
