"""What a mistake in an act costs, by its name: the risk classes of the taxonomy, compiled.

`mappers/actions.yaml` is what people read and change, with the reasons; a test holds the two
together. Here, because a score must come from the action and the bundle alone, at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.model.action import Kind
from gateway.model.risk_class import RiskClass

TYPICAL_CLASS: Final[Mapping[Kind, RiskClass]] = {
    Kind.READ: RiskClass.LOW,
    Kind.CREATE: RiskClass.MEDIUM,
    Kind.UPDATE: RiskClass.MEDIUM,
    Kind.DELETE: RiskClass.HIGH,
    Kind.EXECUTE: RiskClass.MEDIUM,
    Kind.SEND: RiskClass.HIGH,
    Kind.ADMIN: RiskClass.HIGH,
    Kind.UNKNOWN: RiskClass.CRITICAL,
}
"""What stands in for the class of a name that the taxonomy has not: the median of its names of
that kind. Nobody can tell what an unknown kind costs, so it is taken for the worst."""

_NAMES: Final = {
    (Kind.READ, RiskClass.NONE): """
        count_token get_branch get_bucket get_caller_identity get_channel get_cluster
        get_database get_deployment get_instance get_model get_product get_project
        get_pull_request get_repository get_status get_table list_backup list_branch list_bucket
        list_channel list_cluster list_commit list_database list_deployment list_dns_record
        list_dns_zone list_function list_instance list_model list_monitor list_product
        list_project list_pull_request list_release list_repository list_table list_workflow_run
        query_metric
    """,
    (Kind.READ, RiskClass.LOW): """
        get_access_policy get_balance get_bucket_policy get_charge get_contact get_customer
        get_dispute get_document get_email get_event get_file get_group get_incident get_invoice
        get_issue get_message get_object get_order get_organization get_page get_payment_intent
        get_payout get_policy get_record get_refund get_role get_row get_spreadsheet
        get_subscription get_ticket get_transfer get_user list_access_key list_audit_log
        list_batch list_charge list_comment list_contact list_customer list_dispute
        list_document list_email list_event list_file list_group list_incident list_invoice
        list_issue list_member list_message list_object list_order list_payment_intent
        list_payout list_policy list_refund list_role list_row list_secret list_service_account
        list_subscription list_ticket list_transfer list_user list_webhook query_database
        search_charge search_contact search_customer search_file search_invoice search_issue
        search_log search_message search_record search_user search_vector
    """,
    (Kind.READ, RiskClass.HIGH): "get_secret",
    (Kind.CREATE, RiskClass.LOW): """
        add_reaction copy_file create_backup create_branch create_bucket create_channel
        create_company create_contact create_customer create_dashboard create_deal
        create_document create_draft create_email_template create_folder create_image
        create_index create_issue create_monitor create_namespace create_page create_product
        create_project create_pull_request create_queue create_repository create_snapshot
        create_spreadsheet create_subnet create_table create_task create_topic
        create_vector_store create_volume create_vpc fork_repository
    """,
    (Kind.CREATE, RiskClass.MEDIUM): """
        copy_object create_batch create_campaign create_certificate create_checkout_session
        create_cluster create_comment create_commit create_coupon create_database
        create_dns_zone create_encryption_key create_event create_function create_gist
        create_instance create_invoice create_invoice_item create_load_balancer create_order
        create_payment_link create_payment_method create_price create_record create_review
        create_service create_ticket insert_row upload_file upload_object
    """,
    (Kind.CREATE, RiskClass.HIGH): """
        create_charge create_deployment create_dns_record create_fine_tuning_job
        create_gift_card create_incident create_payment_intent create_refund create_release
        create_stack create_subscription register_domain reverse_transfer
    """,
    (Kind.CREATE, RiskClass.CRITICAL): "create_bank_account create_payout create_transfer",
    (Kind.UPDATE, RiskClass.LOW): """
        pin_message restore_object set_tag transition_issue unpin_message update_channel
        update_charge update_comment update_company update_contact update_customer update_issue
        update_pull_request update_refund update_task
    """,
    (Kind.UPDATE, RiskClass.MEDIUM): """
        archive_channel attach_volume detach_payment_method resume_subscription update_bucket
        update_deal update_dispute update_document update_email_template update_event
        update_file update_incident update_instance update_inventory update_invoice
        update_message update_order update_page update_payment_intent update_product
        update_project update_record update_release update_repository update_row
        update_spreadsheet update_subscription update_ticket upsert_vector
    """,
    (Kind.UPDATE, RiskClass.HIGH): """
        close_dispute detach_volume merge_branch merge_pull_request mute_monitor scale_service
        update_cluster update_database update_dns_record update_function update_monitor
        update_service update_stack update_table
    """,
    (Kind.UPDATE, RiskClass.CRITICAL): "disable_encryption_key",
    (Kind.DELETE, RiskClass.LOW): "delete_coupon remove_reaction",
    (Kind.DELETE, RiskClass.MEDIUM): """
        delete_branch delete_comment delete_dashboard delete_email_template delete_event
        delete_invoice_item delete_message delete_pod delete_product delete_task purge_cache
    """,
    (Kind.DELETE, RiskClass.HIGH): """
        cancel_subscription delete_certificate delete_channel delete_company delete_contact
        delete_customer delete_deal delete_deployment delete_dns_record delete_document
        delete_email delete_file delete_function delete_image delete_invoice delete_issue
        delete_monitor delete_object delete_order delete_page delete_record delete_release
        delete_row delete_subnet delete_suppression delete_ticket delete_topic delete_vector
        delete_vector_store
    """,
    (Kind.DELETE, RiskClass.CRITICAL): """
        delete_backup delete_bucket delete_cluster delete_database delete_dns_zone
        delete_encryption_key delete_folder delete_index delete_load_balancer delete_log
        delete_model delete_namespace delete_package delete_project delete_queue
        delete_repository delete_service delete_snapshot delete_stack delete_table delete_volume
        delete_vpc purge_queue terminate_instance
    """,
    (Kind.EXECUTE, RiskClass.LOW): """
        cancel_batch cancel_fine_tuning_job create_completion create_embedding create_moderation
        create_speech create_transcription encrypt_data generate_image generate_video
        start_instance
    """,
    (Kind.EXECUTE, RiskClass.MEDIUM): """
        cancel_charge cancel_deployment cancel_job cancel_payment_intent cancel_payout
        cancel_refund cancel_workflow_run decrypt_data pause_subscription reboot_instance
        rerun_workflow run_job run_task stop_task
    """,
    (Kind.EXECUTE, RiskClass.HIGH): """
        approve_pull_request cancel_order capture_charge capture_order capture_payment_intent
        confirm_payment_intent finalize_invoice invoke_agent invoke_function pay_invoice
        reverse_payout rollback_deployment run_workflow stop_instance void_invoice
    """,
    (Kind.EXECUTE, RiskClass.CRITICAL): "execute_command execute_sql restore_database",
    (Kind.SEND, RiskClass.MEDIUM): """
        enqueue_message publish_message schedule_message send_message send_notification
    """,
    (Kind.SEND, RiskClass.HIGH): "create_alert create_call send_email send_invoice",
    (Kind.SEND, RiskClass.CRITICAL): "send_campaign",
    (Kind.ADMIN, RiskClass.LOW): "cancel_invitation",
    (Kind.ADMIN, RiskClass.MEDIUM): """
        create_group create_security_group delete_deploy_key delete_sender delete_webhook
        remove_group_member unshare_file update_group
    """,
    (Kind.ADMIN, RiskClass.HIGH): """
        add_group_member add_member close_firewall create_application create_deploy_key
        create_policy create_role create_secret create_sender create_service_account create_user
        create_webhook delete_access_key delete_application delete_group delete_key_pair
        delete_policy delete_role delete_security_group delete_ssh_key invite_user remove_member
        remove_user restore_user revoke_role rotate_secret suspend_user update_access_key
        update_application update_organization update_user update_webhook
    """,
    (Kind.ADMIN, RiskClass.CRITICAL): """
        assume_role create_access_key create_firewall_rule create_key_pair create_ssh_key
        delete_audit_log delete_branch_protection delete_bucket_policy delete_firewall_rule
        delete_organization delete_public_access_block delete_secret delete_service_account
        delete_user disable_mfa grant_role open_firewall publish_file reset_password
        set_access_policy set_bucket_acl set_bucket_policy set_object_acl
        set_public_access_block set_secret share_file stop_audit_log transfer_repository
        update_branch_protection update_firewall_rule update_policy update_role
    """,
}  # fmt: skip

NAMED: Final[Mapping[str, tuple[Kind, RiskClass]]] = {
    name: kind_and_class for kind_and_class, names in _NAMES.items() for name in names.split()
}
"""The kind and the class of every name of the taxonomy."""
