region        = "eu-west-1"
web_instances = 3
