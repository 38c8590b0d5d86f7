"""What stands before every resource of the management API: who calls, and may they?"""
