"""Resource types that have no price of their own: neither priced nor listed as unpriced."""

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
    r"|elastic_beanstalk_(application|configuration)|lambda_(permission|alias|event|layer)|efs_(mount|access|file_system_policy)|sns_topic_(subscription|policy)"
    r"|sqs_queue_(policy|redrive)|api_gateway_(resource|method|integration|deployment|account|authorizer|gateway_response|usage_plan|api_key|model"
    r"|request_validator|base_path|rest_api_policy|documentation)|s3_object|secretsmanager_secret_(version|policy|rotation)|db_proxy_(default_)?target"
    r"|ram_|ssoadmin_|identitystore_|organizations_|account_|s3_account_|s3_access_point|ecr_(registry|pull_through)|backup_(plan|selection|vault$|vault_(policy|lock|notifications))"
    r"|networkfirewall_(rule_group|firewall_policy|logging)|wafv2_(ip_set|regex_pattern_set|web_acl_(association|logging))|oam_|resourcegroups_"
    r"|route53_(zone_association|vpc_association|resolver_(rule|query_log|firewall_(config|rule$|rule_group)))|ssm_(association|document|maintenance_window|patch|resource_data_sync)"
    r"|athena_(workgroup|named_query)|glue_(connection|security_configuration|resource_policy|data_catalog_encryption)|cur_report_definition|servicequotas_|dlm_lifecycle_policy"
    r"|cognito_(user_pool_(client|domain|ui)|user_group|identity_|resource_server)|codedeploy_|dynamodb_table_item|imagebuilder_(component|image_recipe|infrastructure|distribution)"
    r"|apigatewayv2_(integration|route|authorizer|deployment|api_mapping|stage|model)|cloudfront_origin|ebs_encryption|(elastic|open)search_domain_policy"
)
_CLOUDFORMATION = (
    r"IAM::|CloudFormation::|EC2::(VPC$|VPCGatewayAttachment|VPCDHCP|Subnet|SecurityGroup|Route|InternetGateway|EIPAssociation"
    r"|NetworkAcl|NetworkInterface|KeyPair|VolumeAttachment|VPNGateway|CustomerGateway|DHCPOptions)"
    r"|AutoScaling::(ScalingPolicy|LifecycleHook|ScheduledAction)|ApplicationAutoScaling::"
    r"|ElasticLoadBalancingV2::(Listener|TargetGroup)|RDS::DB(Subnet|Parameter|Cluster[PS])|RDS::OptionGroup"
    r"|ElastiCache::(SubnetGroup|ParameterGroup)|Lambda::(Permission|EventSourceMapping|Alias|LayerVersion)"
    r"|Events::Rule|S3::BucketPolicy|SNS::(TopicPolicy|Subscription)|SQS::QueuePolicy|Route53::RecordSet|KMS::Alias"
    r"|ECS::(Cluster|TaskDefinition)|ElasticBeanstalk::(Application|ConfigurationTemplate)|ApiGateway::(Resource|Method|Deployment|Account|Authorizer|UsagePlan|ApiKey|Model|RequestValidator|BasePathMapping)|EFS::MountTarget"
    r"|Logs::(MetricFilter|SubscriptionFilter|LogStream)|CertificateManager::|RAM::|SSO::|Organizations::|Backup::(BackupPlan|BackupSelection|BackupVault)"
    r"|WAFv2::(IPSet|RegexPatternSet|WebACLAssociation|LoggingConfiguration)|SSM::(Document|Association|MaintenanceWindow|Patch)|CodeDeploy::|ResourceGroups::"
    r"|Cognito::(UserPool(Client|Domain|Group|ResourceServer|User)|IdentityPool)|Athena::(WorkGroup|NamedQuery)|Glue::(Connection|SecurityConfiguration)"
    r"|S3::AccessPoint|Lambda::Version|ApiGatewayV2::(Integration|Route|Authorizer|Deployment|Stage|ApiMapping)"
)
_AZURE = (
    r"resource_group$|virtual_network$|virtual_network_dns|subnet|network_(interface|security|watcher$)|route(_table)?$"
    r"|application_security_group|availability_set|proximity_placement_group|marketplace_agreement|role_|user_assigned_identity"
    r"|federated_identity|policy_|management_(group|lock)|subscription|resource_(policy|provider)|virtual_machine_data_disk_attachment"
    r"|virtual_machine(_scale_set)?_extension|ssh_public_key|managed_disk_sas|lb_(backend|nat|probe|rule|outbound)|public_ip_prefix_association"
    r"|nat_gateway_public_ip|subnet_nat|key_vault_(access|secret|certificate(_|$))|disk_encryption_set|disk_access|storage_(container|account_(network|customer))"
    r"|(ms)?sql_(server$|server_\w+|firewall|virtual_network_rule|active_directory|outbound)"
    r"|(mysql|postgresql|mariadb)_(firewall|virtual_network|configuration|database|server_key|active_directory"
    r"|flexible_server_(configuration|firewall|database|active))|monitor_(action_group|autoscale|log_profile|diagnostic|data_collection_rule)"
    r"|log_analytics_solution|security_center_contact|security_center_(auto|setting|workspace)|app_service_(virtual|custom_hostname|source)"
    r"|private_dns_zone_virtual_network_link|(private_)?dns_(\w+_record)$|firewall_(policy_rule|\w+_rule_collection)|ip_group"
    r"|cosmosdb_sql_(role|function|trigger|stored)|cdn_frontdoor_(endpoint|origin|route|custom_domain|security_policy)"
    r"|api_management_(api|group|product)|eventhub_authorization|virtual_desktop_\w*(association|registration_info)|backup_policy"
    r"|automation_(job_schedule|schedule)|storage_data_lake_gen2_filesystem|shared_image_gallery|network_manager|advisor_|container_registry_(token|scope|webhook)"
)
_GOOGLE = (
    r"project|organization|folder|service_account|billing_|compute_(network$|network_(peering|endpoint)|subnetwork|firewall|route($|r$)|router(_peer|_interface)?$"
    r"|shared_vpc|project_metadata|ssh|instance_template|region_instance_template|instance_group$|(region_)?(health_check|autoscaler|url_map|target_|backend_)"
    r"|http|https|managed_ssl|region_ssl|ssl_|resource_policy|attached_disk|disk_resource|global_network)"
    r"|\w+_iam_(binding|member|policy|audit_config)|dns_(record_set|policy)|kms_(key_ring|secret)|sql_(user|database$|ssl)|container_registry"
    r"|storage_(bucket_(acl|access|object|notification)|default|notification)|service_networking|logging_|pubsub_(schema|topic_iam)"
    r"|compute_(region_)?per_instance_config|compute_preview_feature|os_(config|login)_|gke_hub_(scope|namespace|membership_binding)"
    r"|artifact_registry_repository_iam|secret_manager_secret_(iam|version)|iam_|access_context|vpc_access_iam|endpoints_service|tags_|essential"
)
_CONFIGURED = (
    r"pagerduty|opsgenie|github|gitlab|vault|consul|nomad|postgresql|mysql|rabbitmq|sops|docker|kustomization|flux|argocd|kubectl"
    r"|auth0|okta|keycloak|acme|cloudinit|shell|restapi|http|grafana|rancher2|sentry|tfe"
)
"""Providers that configure what runs or is subscribed to already."""
_FREE = re.compile(
    rf"({_CONFIGURED})_|aws_({_AWS})|AWS::({_CLOUDFORMATION})|azurerm_({_AZURE})|azuread_|azapi_|google_({_GOOGLE})"
    r"|(random|null|local|tls|template|time|kubernetes|helm|archive|external)_|terraform_data"
    r"|Custom::|provider$|variable$|output$|module$|data\."
)


def is_free(resource_type: str) -> bool:
    return _FREE.match(resource_type) is not None
