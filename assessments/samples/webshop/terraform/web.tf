resource "aws_security_group" "web" {
  name        = "webshop-web"
  description = "Web servers"
  vpc_id      = aws_vpc.shop.id

  ingress {
    description = "HTTPS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  ingress {
    description = "SSH, opened for a release night and never closed"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "web" {
  count                  = var.web_instances
  ami                    = "ami-0c1c30571d2dae5c9"
  instance_type          = "m5.large"
  subnet_id              = aws_subnet.private[0].id
  vpc_security_group_ids = [aws_security_group.web.id]

  user_data = <<-EOT
    #!/bin/sh
    echo "DATABASE_HOST=${aws_db_instance.orders.address}" >> /etc/webshop.env
  EOT

  root_block_device {
    volume_type = "gp2"
    volume_size = 100
  }

  tags = {
    Name = "webshop-web-${count.index}"
  }
}

resource "aws_lb" "shop" {
  name               = "webshop"
  load_balancer_type = "application"
  subnets            = aws_subnet.public[*].id
  security_groups    = [aws_security_group.web.id]
}

resource "aws_lb_target_group" "web" {
  name     = "webshop-web"
  port     = 443
  protocol = "HTTPS"
  vpc_id   = aws_vpc.shop.id
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_lb_target_group_attachment" "web" {
  count            = var.web_instances
  target_group_arn = aws_lb_target_group.web.arn
  target_id        = aws_instance.web[count.index].id
}
