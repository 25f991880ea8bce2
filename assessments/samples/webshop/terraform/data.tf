resource "aws_db_instance" "orders" {
  identifier              = "webshop-orders"
  engine                  = "postgres"
  engine_version          = "16.3"
  instance_class          = "db.m5.large"
  allocated_storage       = 200
  storage_type            = "gp2"
  multi_az                = false
  publicly_accessible     = true
  backup_retention_period = 1
  skip_final_snapshot     = true
  username                = "shop"
  password                = "Tr0ub4dor-and-3-orders"
}

resource "aws_ebs_volume" "search" {
  availability_zone = "eu-west-1a"
  size              = 500
  type              = "gp2"
}

resource "aws_s3_bucket" "images" {
  bucket = "webshop-product-images"
}

resource "aws_s3_bucket" "logs" {
  bucket = "webshop-access-logs"
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
