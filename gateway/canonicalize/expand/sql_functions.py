"""Functions that make a SELECT act, and those that certainly don't.

Where a server lets a user's function write (Postgres and MySQL), a function that is not known to be
pure makes the statement an execution; elsewhere only those that are known to act or to reach out.
"""

from __future__ import annotations

_ACTING = """
    nextval setval set_config setseed dblink dblink_exec dblink_connect dblink_send_query lo_import
    lo_export lo_unlink lo_put lo_create lo_creat lo_from_bytea lo_open lo_truncate lowrite
    query_to_xml query_to_xml_and_xmlschema query_to_xmlschema cursor_to_xml pg_sleep pg_sleep_for
    pg_sleep_until ts_stat ts_rewrite sleep sleepeachrow benchmark get_lock release_lock load_file
    load_extension writefile readfile edit fts3_tokenizer sys_exec sys_eval xp_cmdshell
    external_query ai_query http_get http_post http_put http_delete http_patch http_request
    reflect java_method read_files url urlcluster s3 s3cluster gcs hdfs hdfscluster file
    filecluster remote remotesecure cluster clusterallreplicas mysql postgresql mongodb redis
    sqlite jdbc odbc executable azureblobstorage azureblobstoragecluster deltalake hudi iceberg
    input dictionary invoke net_http_post net_http_get system cron_schedule nextvalue
    openrowset openquery opendatasource query generateserialid catboostevaluate
    remote_query
"""
ACTING = frozenset(_ACTING.split())
"""By name alone, in whatever schema."""

ACTING_PREFIXES = (
    "pg_", "dblink", "lo_", "aws_", "system$", "http_", "net_", "cron_", "binary_upgrade_", "xp_",
    "sp_", "ml_", "ai_",
)  # fmt: skip
"""Unless they are known to be pure."""

_PG_INQUIRIES = """
    pg_typeof pg_size_pretty pg_size_bytes pg_database_size pg_relation_size pg_table_size
    pg_indexes_size pg_total_relation_size pg_tablespace_size pg_column_size pg_backend_pid
    pg_get_viewdef pg_get_functiondef pg_get_constraintdef pg_get_indexdef pg_get_expr
    pg_get_triggerdef pg_get_ruledef pg_get_userbyid pg_get_serial_sequence pg_get_partkeydef
    pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
    pg_get_keywords pg_get_statisticsobjdef pg_table_is_visible pg_function_is_visible
    pg_type_is_visible pg_is_in_recovery pg_current_wal_lsn pg_wal_lsn_diff pg_last_wal_replay_lsn
    pg_last_wal_receive_lsn pg_last_xact_replay_timestamp pg_postmaster_start_time
    pg_conf_load_time pg_encoding_to_char pg_char_to_encoding pg_collation_for pg_blocking_pids
    pg_has_role pg_my_temp_schema pg_is_other_temp_schema pg_relation_filenode pg_partition_root
    pg_partition_tree pg_partition_ancestors pg_timezone_names pg_client_encoding
    pg_describe_object pg_identify_object pg_stat_get_activity pg_trigger_depth
    pg_available_extensions pg_listening_channels pg_sequence_last_value pg_lock_status
    pg_current_snapshot pg_show_all_settings pg_options_to_table pg_column_is_updatable
    pg_relation_is_updatable pg_input_is_valid pg_basetype
"""
_PG_OTHERS = """
    age array_dims array_fill array_lower array_ndims array_positions array_replace array_to_json
    array_upper bit_count bpchar box broadcast cardinality center circle col_description
    convert_from convert_to crc32 crc32c current_setting daterange diameter enum_first enum_last
    enum_range every family format_type gcd generate_subscripts get_byte get_bit
    has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege
    has_schema_privilege has_sequence_privilege has_table_privilege hashtext height host hostmask
    inet_client_addr inet_merge inet_same_family inet_server_addr inet_server_port int4range
    int8range isempty isfinite json_array_element json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text
    json_object_keys json_populate_record json_populate_recordset json_to_record
    json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_concat jsonb_each
    jsonb_each_text jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text
    jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_match
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record
    jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_record jsonb_to_recordset jsonb_typeof lcm line lower_inc lower_inf lseg make_date
    make_timestamptz masklen min_scale money multirange netmask network num_nonnulls num_nulls
    numrange obj_description octet_length parse_ident path phraseto_tsquery plainto_tsquery point
    polygon quote_ident quote_literal quote_nullable radius range_agg range_intersect_agg
    range_merge regexp_match regexp_matches regexp_split_to_array regexp_split_to_table
    row_security_active row_to_json scale set_bit set_byte set_masklen setweight sha224
    shobj_description statement_timestamp string_to_table strip text to_ascii to_bin to_json
    to_jsonb to_oct to_regclass to_regnamespace to_regproc to_regrole to_regtype to_tsquery
    to_tsvector transaction_timestamp trim_array trim_scale ts_debug ts_delete ts_filter
    ts_headline ts_lexize ts_parse ts_rank ts_rank_cd tsrange tstzrange tsvector_to_array
    txid_current_snapshot unistr upper_inc upper_inf uuid_extract_timestamp uuid_extract_version
    websearch_to_tsquery width xml_is_well_formed xmlagg xmlcomment xmlexists xmltext xpath
    xpath_exists row json_array xmlforest xmlconcat xmlpi
    clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7
    currval lastval uuid_generate_v1 uuid_generate_v4 l2_distance cosine_distance inner_product
    l1_distance vector_dims vector_norm similarity word_similarity unaccent digest hmac
    st_distance st_dwithin st_within st_contains st_intersects st_makepoint st_setsrid st_point
    st_x st_y st_asgeojson st_astext st_area st_length st_buffer st_centroid st_transform
    st_geomfromtext st_geogfromtext
"""
_MYSQL = """
    ifnull nullif uuid database schema connection_id last_insert_id found_rows row_count user
    current_user session_user version json_extract json_unquote json_arrayagg json_objectagg
    json_contains json_search json_keys json_length json_depth json_valid json_type json_pretty
    inet_aton inet_ntoa conv bin oct hex unhex elt field find_in_set make_set export_set
    group_concat any_value st_distance_sphere uncompress compress crc32 aes_encrypt aes_decrypt
    to_days from_days period_add period_diff maketime makedate timediff subtime addtime
    utc_timestamp utc_date utc_time
"""
_REDSHIFT = """
    json_extract_array_element_text json_parse json_serialize is_valid_json is_valid_json_array
    can_json_parse getdate charindex strtol convert_timezone nvl2 len
    get_array_length get_object_length json_size object_keys trunc dexp dlog1 dlog10
"""
_POSTGRES = frozenset((_PG_INQUIRIES + _PG_OTHERS).split())
_PURE_IN = {
    "postgres": _POSTGRES,
    "": _POSTGRES,
    "redshift": _POSTGRES | frozenset(_REDSHIFT.split()),
    "mysql": frozenset(_MYSQL.split()),
}
"""By dialect, because a name that is built in on one server is a user's on another."""
PURE = frozenset().union(*_PURE_IN.values())

_POSTGRES_PARSED = frozenset(
    """
    Abs Acos Acosh And AnyValue Array ArrayAgg ArrayAppend ArrayConcat ArrayContainedBy
    ArrayContainsAll ArrayPosition ArrayPrepend ArrayRemove ArrayReverse ArraySize ArraySort
    ArrayToString Ascii Asin Asinh Atan Atan2 Atanh Avg BitLength BitwiseAndAgg BitwiseOrAgg
    BitwiseXorAgg Case Cast Cbrt Ceil Chr Coalesce Collate Concat ConcatWs Corr Cos Cosh
    CosineDistance Cot Count CovarPop CovarSamp CumeDist CurrentCatalog CurrentDatabase
    CurrentDate CurrentSchema CurrentSchemas CurrentTime CurrentTimestamp CurrentUser
    CurrentVersion Date DateAdd DateBin Decode DecodeCase Degrees DenseRank Encode
    EuclideanDistance Exists Exp Explode ExplodingGenerateSeries Extract Factorial FirstValue
    Floor Format Getbit Greatest GroupConcat Grouping Hex Host If Initcap JSONArrayAgg
    JSONBContains JSONBContainsAnyTopKeys JSONBContainsTopKey JSONBExists JSONBExtract
    JSONBExtractScalar JSONBObjectAgg JSONExtract JSONExtractScalar JSONObject JSONObjectAgg
    JSONStripNulls JustifyDays JustifyHours JustifyInterval Lag LastValue Lead Least Left Length
    Levenshtein Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower MD5 MakeInterval Max
    Min Mode Normalize NthValue Ntile Nullif Or Overlay Pad PercentRank PercentileCont
    PercentileDisc Pi Pow Radians Rand Rank RegexpCount RegexpILike RegexpInstr RegexpLike
    RegexpReplace RegexpSubstr RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx
    RegrSxy RegrSyy Repeat Replace Reverse Right Round RowNumber SHA2Digest SessionUser Sign Sin
    Sinh SplitPart Sqrt StDistance StPoint StartsWith Stddev StddevPop StddevSamp StrPosition
    StrToDate StrToTime StringToArray Substring Sum Tan Tanh Time TimeFromParts TimeToStr
    Timestamp TimestampFromParts TimestampTrunc ToNumber Translate Trim Trunc UnixToTime Unnest
    Upper Uuid Variance VariancePop WidthBucket XMLElement Xor
    """.split()  # noqa: SIM905 - a list of 190 quoted words is harder to read
)
"""sqlglot's classes of what Postgres has built in, functions and grammar. A name that sqlglot knows
from another server may be a user's here."""

USER_FUNCTIONS_WRITE = frozenset({"postgres", "redshift", "mysql", ""})
"""Dialects whose user functions, called in a SELECT, may change anything."""

_NAMESPACES = frozenset(
    {
        "pg_catalog",
        "net",
        "safe",
        "hll_count",
        "keys",
        "aead",
        "information_schema",
        "kll_quantiles",
    }
)
"""What stands before the names of built-in functions. All others are schemas of users."""
_TABLE_FUNCTIONS = frozenset(
    {"flatten", "result_scan", "generator", "split_to_table", "infer_schema", "validate"}
)

_READ_PRAGMAS = """
    table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list
    foreign_key_check database_list collation_list function_list module_list pragma_list
    compile_options integrity_check quick_check
"""
READ_PRAGMAS = frozenset(_READ_PRAGMAS.split())
"""Those of SQLite that only look, whatever their argument."""


def acts(name: str, dialect: str, *, schema: str = "", is_table: bool = False) -> bool:
    """Whether calling a function that the parser doesn't know makes its statement act. `is_table`:
    it stands where a table does, and in Snowflake a procedure can stand there."""
    name = name.lower()
    if name in ACTING or is_users(schema):
        return True
    if name in _PURE_IN.get(dialect, PURE):
        return False
    if is_table and dialect == "snowflake":
        return not schema and name not in _TABLE_FUNCTIONS
    return dialect in USER_FUNCTIONS_WRITE or name.startswith(ACTING_PREFIXES)


def is_foreign(parsed_as: str, dialect: str) -> bool:
    """Whether a function that the parser knows, by its class there, is none of this server's own,
    and so a user's."""
    return dialect in ("postgres", "") and parsed_as not in _POSTGRES_PARSED


def is_users(schema: str) -> bool:
    """Whether a function in this schema is a user's, whatever its name."""
    return bool(schema) and schema.lower() not in _NAMESPACES


def acts_by_name(name: str) -> bool:
    """Whether a name alone says that it acts, whatever surrounds it."""
    name = name.lower()
    return name in ACTING or (name.startswith(ACTING_PREFIXES) and name not in PURE)
