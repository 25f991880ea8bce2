terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  region = var.region
}

resource "aws_vpc" "shop" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true

  tags = {
    Name = "webshop"
  }
}

resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.shop.id
  cidr_block              = "10.20.${count.index}.0/24"
  availability_zone       = var.zones[count.index]
  map_public_ip_on_launch = true
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.shop.id
  cidr_block        = "10.20.1${count.index}.0/24"
  availability_zone = var.zones[count.index]
}

resource "aws_eip" "nat" {
  count  = 2
  domain = "vpc"
}

# Two gateways, although the shop runs in one region and its outgoing traffic is small.
resource "aws_nat_gateway" "shop" {
  count         = 2
  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id
}
