"""What the console's templates can say beside what Django brings."""
