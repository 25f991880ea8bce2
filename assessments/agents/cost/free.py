"""Resource types that carry no price of their own: neither priced nor listed as unpriced."""

from __future__ import annotations

import re

_AWS = (
    r"iam_|security_group|vpc(?!_endpoint$|_ipam$)|subnet|route(_table|$)|main_route|internet_gateway|egress_only"
    r"|network_(acl|interface)|launch_|key_pair|eip_association|volume_attachment|placement_group"
    r"|ec2_(tag|managed_prefix|instance_connect|transit_gateway(_route|$))|vpn_gateway|customer_gateway|default_"
    r"|db_(subnet|parameter|option)_group|rds_(global_cluster|cluster_(parameter|endpoint|role))|elasticache_(subnet|parameter|user)"
    r"|s3_bucket_|lb_(listener|target)|alb_(listener|target)|load_balancer_policy"
    r"|autoscaling_(policy|attachment|schedule|lifecycle|notification|group_tag)|appautoscaling"
    r"|cloudwatch_(event|log_(stream|metric|subscription|resource))|acm_certificate|route53_record"
    r"|kms_(alias|grant|key_policy)|ecs_(cluster|task)|eks_(addon|access|identity|pod_identity)|ecr_(lifecycle|repository_policy)"
    r"|lambda_(permission|alias|event|layer)|efs_(mount|access|file_system_policy)|sns_topic_(subscription|policy)"
    r"|sqs_queue_policy|api_gateway_(resource|method|integration|deployment|account|authorizer|gateway_response)"
    r"|apigatewayv2_(integration|route|authorizer|deployment|api_mapping)|cloudfront_origin|ebs_encryption|(elastic|open)search_domain_policy"
)
_CLOUDFORMATION = (
    r"IAM::|CloudFormation::|EC2::(VPC$|VPCGatewayAttachment|VPCDHCP|Subnet|SecurityGroup|Route|InternetGateway|EIPAssociation"
    r"|NetworkAcl|NetworkInterface|KeyPair|VolumeAttachment|VPNGateway|CustomerGateway|DHCPOptions)"
    r"|AutoScaling::(ScalingPolicy|LifecycleHook|ScheduledAction)|ApplicationAutoScaling::"
    r"|ElasticLoadBalancingV2::(Listener|TargetGroup)|RDS::DB(Subnet|Parameter|Cluster[PS])|RDS::OptionGroup"
    r"|ElastiCache::(SubnetGroup|ParameterGroup)|Lambda::(Permission|EventSourceMapping|Alias|LayerVersion)"
    r"|Events::Rule|S3::BucketPolicy|SNS::(TopicPolicy|Subscription)|SQS::QueuePolicy|Route53::RecordSet|KMS::Alias"
    r"|ECS::(Cluster|TaskDefinition)|ApiGateway::(Resource|Method|Deployment|Account|Authorizer)|EFS::MountTarget"
    r"|Logs::(MetricFilter|SubscriptionFilter|LogStream)|CertificateManager::"
)
_FREE = re.compile(
    rf"aws_({_AWS})|AWS::({_CLOUDFORMATION})"
    r"|(random|null|local|tls|template|time|kubernetes|helm|archive|external)_|terraform_data"
    r"|Custom::|provider$|variable$|output$|module$|data\."
)


def is_free(resource_type: str) -> bool:
    return _FREE.match(resource_type) is not None
