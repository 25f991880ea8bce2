variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "zones" {
  type    = list(string)
  default = ["eu-west-1a", "eu-west-1b"]
}

variable "web_instances" {
  type    = number
  default = 3
}
