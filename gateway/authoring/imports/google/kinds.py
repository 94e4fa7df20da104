"""Says what a method of a Google API does: its kind, whether it can be undone, and whether it
makes or shows credentials.

The scopes of a method are no authority here: `calendar.acl.watch` and `drive.channels.stop` list
`.readonly` scopes and act. So a POST is a read only where its name is one of the reviewed ones, and
a GET always but for the reviewed ones that act.
"""

from __future__ import annotations

from gateway.authoring.imports.google.documents import Method
from gateway.authoring.imports.google.words import main_verb, method_words, resource_nouns
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.model.action import Kind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READ_VERBS = _words("get list search lookup find count aggregated autocomplete")
"""First words of POST methods that only read, in every API that has them but for the exceptions."""
_NOT_READS = _words(
    """
    aiplatform.asyncRetrieveContexts aiplatform.listOptimalTrials compute.getVersion
    content.getaccessiblegmbaccounts health.getShlManifest identitytoolkit.getOobConfirmationCode
    ml.listOptimalTrials monitoring.getVerificationCode siteVerification.getToken vault.count
    """
)
_POST_READS = _words(
    """
    admob.generate analyticsdata.checkCompatibility analyticsdata.query
    androiddeviceprovisioning.findByIdentifier bigtableadmin.checkConsistency
    bigquerydatatransfer.checkValidCreds calendar.query cloudsearch.checkAccess
    cloudsearch.suggest compute.preview compute.validate contentwarehouse.fetchAcl
    contentwarehouse.linkedSources contentwarehouse.linkedTargets content.renderaccountissues
    content.renderproductissues chromepolicy.resolve chromeuxreport.queryHistoryRecord
    chromeuxreport.queryRecord cloudchannel.fetchReportResults composer.pollAirflowCommand
    databasecenter.aggregateIssueStats databasecenter.aggregateQueryStats
    databasecenter.queryDatabaseResourceGroups databasecenter.queryIssues datalineage.searchLinks
    datastore.runAggregationQuery datastore.runQuery dialogflow.compareVersions
    digitalassetlinks.bulkCheck drive.download driveactivity.query firebaserules.test
    firestore.partitionQuery firestore.runAggregationQuery firestore.runQuery fitness.aggregate
    generativelanguage.query
    gkeonprem.queryVersionConfig gmailpostmastertools.batchQuery gmailpostmastertools.query
    health.dailyRollUp health.rollUp healthcare.checkDataAccess homegraph.query
    iam.lintPolicy iam.queryAuditableServices iam.queryGrantableRoles
    iam.queryTestablePermissions identitytoolkit.queryAccounts jobs.histogram logging.tail
    managedidentities.checkMigrationPermission managedkafka.checkCompatibility
    merchantapi.renderaccountissues merchantapi.renderproductissues migrationcenter.aggregateValues
    monitoring.labels monitoring.query monitoring.query_exemplars monitoring.query_range
    monitoring.series mybusinessverifications.fetchVerificationOptions oauth2.tokeninfo
    playdeveloperreporting.query policytroubleshooter.troubleshoot
    policytroubleshooter.troubleshootError privateca.fetchCaCerts pubsub.validate
    pubsub.validateMessage remotebuildexecution.batchRead safebrowsing.fetch
    searchconsole.inspect searchconsole.query securitycenter.group spanner.read
    spanner.streamingRead sts.introspect tagmanager.entities webmasters.query
    aiplatform.fetchExamples aiplatform.fetchFeatureValues aiplatform.fetchPredictOperation
    aiplatform.readFeatureValues aiplatform.readIndexDatapoints aiplatform.retrieveContexts
    aiplatform.retrieve aiplatform.retrieveProfiles aiplatform.streamingFetchFeatureValues
    aiplatform.streamingReadFeatureValues apigee.queryTabularStats apigee.queryTimeSeriesStats
    analyticsadmin.runAccessReport analyticsdata.batchRunPivotReports analyticsdata.batchRunReports
    analyticsdata.runPivotReport analyticsdata.runRealtimeReport analyticsdata.runReport
    """
)
"""POST methods that only read, as `api.verb`; each was looked at."""
_GET_ACTS = {
    "adsensehost.start": Kind.CREATE,
    "aiplatform.restore": Kind.UPDATE,
    "androidenterprise.getServiceAccount": Kind.ADMIN,
    "beyondcorp.cancel": Kind.EXECUTE,
    "beyondcorp.restart": Kind.EXECUTE,
    "cloudbilling.move": Kind.UPDATE,
    "cloudkms.exportTrustedKeyWrappedCryptoKeyVersion": Kind.EXECUTE,
    "cloudshell.generateAccessToken": Kind.ADMIN,
    "contactcenterinsights.generateSignedAudio": Kind.EXECUTE,
    "datalabeling.cancel": Kind.EXECUTE,
    "developerconnect.finishOAuthFlow": Kind.ADMIN,
    "developerconnect.startOAuthFlow": Kind.ADMIN,
    "discoveryengine.collect": Kind.CREATE,
    "displayvideo.uploadRules": Kind.CREATE,
    "displayvideo.uploadScript": Kind.CREATE,
    "drive.generateCseToken": Kind.ADMIN,
    "firebaseappdistribution.cancel": Kind.EXECUTE,
    "firebasedataconnect.postgrestQueryFunction": Kind.UNKNOWN,
    "healthcare.bulk-export": Kind.EXECUTE,
    "healthcare.bulk-export-group": Kind.EXECUTE,
    "integrations.generateToken": Kind.ADMIN,
    "integrations.troubleshoot": Kind.UNKNOWN,
    "networkmanagement.generateProviderAccessToken": Kind.ADMIN,
    "recommendationengine.collect": Kind.CREATE,
}
"""GET methods that do something."""
_ACTS = {
    "calendar.quickAdd": Kind.CREATE,
    "cloudbilling.send": Kind.SEND,
    "container.legacyAbac": Kind.ADMIN,
    "container.setMasterAuth": Kind.ADMIN,
    "content.custombatch": Kind.EXECUTE,
    "firestore.batchWrite": Kind.UPDATE,
    "healthcare.Binary-create": Kind.CREATE,
    "identitytoolkit.getOobConfirmationCode": Kind.SEND,
    "identitytoolkit.sendOobCode": Kind.SEND,
    "identitytoolkit.sendVerificationCode": Kind.SEND,
    "pubsub.pull": Kind.EXECUTE,
    "runtimeconfig.watch": Kind.EXECUTE,
    "storage.rewrite": Kind.CREATE,
    "threatintelligence.read": Kind.UPDATE,
    "vmwareengine.privateCloudDeletionNow": Kind.DELETE,
}
"""Methods whose name misleads, as `api.verb`."""
_VERBS = {
    Kind.CREATE: "insert compose snapshot append clone instantiate ingest record watch setup",
    Kind.UPDATE: "mutate undelete untrash write resize switch alter deprecate attributes addons"
    " locations logging master monitoring autoscaling resource upgrade expand bind unbind reorder"
    " reassign label labels position modify reschedule touch rate rename relocate defer"
    " acknowledge lease renew extend upload sync unpublish unshare share claim unclaim",
    Kind.DELETE: "destroy obliterate trash empty expunge evict cleanup abandon uninstall unenroll"
    " wipe deprovision undeploy purge",
    Kind.SEND: "publish send distribute",
}
_KIND_BY_VERB = {word: kind for kind, words in _VERBS.items() for word in words.split()}

_ADMIN_RESOURCES = _words(
    """
    accessBindings accessLevels accessPolicies accessproposals accountUserLinks acl acls
    adminAccessBindings admins asps authConfigs authProviders authTokens
    authorizedOrgsDescs authzPolicies authorizationPolicies bucketAccessControls
    customerUserAccessInvitations customerUserAccesses dataPolicies debugTokens
    defaultObjectAccessControls defaultSupportedIdpConfigs delegates denyPolicies domainwide
    enrollmentTokens
    externalAccountKeys gcpUserAccessBindings groups guardianInvitations hmacKeys iamPolicies
    identityAwareProxyClients idpCredentials inboundOidcSsoProfiles inboundSamlConfigs
    inboundSamlSsoProfiles inboundSsoAssignments invitations keys managedIdentities members
    memberships oauthClients oauthIdpConfigs objectAccessControls permissions
    principalAccessBoundaryPolicies policyBindings productLinkInvitations profileUserLinks
    projectRoles rbacrolebindings roleAssignments roles rowAccessPolicies serviceAccounts
    serviceaccountkeys servicePerimeters sshKeys sshPublicKeys tokenAuthUsers tokens userCreds
    userRoles user_permissions userinvitations users verificationCodes webTokens
    webpropertyUserLinks workforcePools workloadIdentityPools publicKeys orgPolicies
    databaseRoles twoStepVerification aclPolicies migrationTokens
    """
)
"""Resources that say who may do what: every change of one is an administrator's act."""
_NOT_ADMIN = _words(
    """
    datamanager.users adsenseplatform.groups apigee.attributes chromepolicy.groups cloudiot.groups
    clouderrorreporting.groups dfareporting.groups gkehub.memberships games.users gmail.users
    meet.members monitoring.groups people.members playgrouping.tokens recaptchaenterprise.keys
    script.users youtube.members homegraph.agentUsers books.users discoveryengine.users
    healthcare.users health.users fitness.users vmmigration.groups migrationcenter.groups
    """
)
"""Resources, as `api.resource`, whose name is in the list and means another thing."""
_ADMIN_ACTS = _words(
    """
    addAclEntry addAuthToken addGrantees addPermissions addPublicKey addSignedUrlKey
    addTokenAuthUser applyAdminConsents authorize authorizeAccess batchUpdateUserLicenses
    bulkEditAssignedUserRoles clearOrgPolicy createPolicy createWebToken deleteSignedUrlKey
    editGuaranteedOrderReadAccessors editInventorySourceReadWriteAccessors enable_access
    generateAccessToken generateIdToken generateAuthenticationToken grant impersonateMutation
    impersonateQuery importSshPublicKey injectCredentials invite issueSamlResponse makeAdmin
    modifyMembershipRoles mutatePartnerPermissions pushCredentials removeAclEntry removeGrantees
    removeIamPolicy removePermissions removePublicKey replaceDeveloperAppKey resetAdminPassword
    setDefaultServiceAccount setLegacyAbac setServiceAccount
    resetNsxCredentials resetPassword resetSecret resetVcenterCredentials revokeAuthorization
    revokeDeviceAccess revokeSessions revokeToken rotateAppSigningKey setAcl setIamPolicy
    setMasterAuth setOrgPolicy setSyncAuthorization signBlob signJwt signOut signSshPublicKey
    transferOwnership updateAccessApprovalSettings updateAclConfig updateControlPlaneAccess
    updatePermissions enforceSingleParent deleteAccessApprovalSettings setUserRole
    replacePlatformPolicy
    """
)
"""Method names that change who may do what, or act as somebody, in every API."""
_SIGNS_IN = ("signIn", "signUp", "signup", "verify", "exchange", "emailLinkSignin", "createAuthUri")
"""Beginnings of what users of an app do themselves."""
_SECRET_ACTS = _words(
    """
    accessReadToken accessReadWriteToken acquireAccessToken createWebToken
    decapsulate decrypt asymmetricDecrypt rawDecrypt domainJoinMachine emailLinkSignin
    exchange exchangeAppAttestAssertion exchangeAppAttestAttestation exchangeAuthCode
    exchangeCustomToken exchangeDebugToken exchangeDeviceCheckToken exchangePlayIntegrityToken
    exchangeRecaptchaEnterpriseToken exchangeRecaptchaToken exchangeRecaptchaV3Token
    exchangeSafetyNetToken exportTrustedKeyWrappedCryptoKeyVersion fetchAccessToken fetchReadToken
    fetchReadWriteToken fetchEncryptionKey finishOAuthFlow generateAccessToken
    generateAuthenticationToken generateChatToken generateClientCertificate generateCseToken
    generateEphemeralCert generateFetchAccessToken generateIdToken
    generateKeyPairOrUpdateDeveloperAppStatus generatePlatformSiteTokens
    generateProviderAccessToken generateSecret generateSignedAudio generateToken getAuthString
    getConnectorSecret getJwt getKeyString getPassword issueSamlResponse
    loadAuthInfo mintAppCheckToken mfaSignIn refreshAccessToken refreshRuntimeTokenInternal
    resetAdminPassword resetAuthorizationCode resetNsxCredentials resetSecret
    resetVcenterCredentials retrieveAuthorizationCode retrieveLegacySecretKey
    showNsxCredentials showVcenterCredentials signBlob signInWithCustomToken signInWithEmailLink
    signInWithGameCenter signInWithIdp signInWithPassword signInWithPhoneNumber signJwt
    signSshPublicKey signUp signupNewUser token verifyAssertion verifyCustomToken verifyPassword
    createSessionCookie createEphemeral addAuthToken getVerificationCode
    """
)
"""Method names that make credentials, or send secrets back."""
_SECRET_METHODS = _words(
    """
    agentidentitycredentials.credentials.retrieve androidenterprise.enterprises.getServiceAccount
    androidenterprise.serviceaccountkeys.insert
    androidenterprise.enrollmentTokens.create androidmanagement.enrollmentTokens.create
    androidmanagement.webTokens.create apigee.keys.create apigee.keys.get apigee.apps.create
    apigee.apps.get apikeys.keys.create content.credentials.create
    directory.verificationCodes.generate directory.verificationCodes.list
    firebaseappcheck.debugTokens.create firestore.userCreds.create firestore.userCreds.resetPassword
    iam.credentials.create iam.credentials.get iam.credentials.list iam.keys.create
    iam.tokens.create iap.identityAwareProxyClients.create iap.identityAwareProxyClients.get
    iap.identityAwareProxyClients.list analyticsadmin.measurementProtocolSecrets.create
    analyticsadmin.measurementProtocolSecrets.get analyticsadmin.measurementProtocolSecrets.list
    androidmanagement.enrollmentTokens.get androidmanagement.enrollmentTokens.list
    chromemanagement.enrollmentTokens.create chromemanagement.enrollmentTokens.get
    chromemanagement.enrollmentTokens.list identitytoolkit.accounts.batchGet
    identitytoolkit.relyingparty.downloadAccount
    networkconnectivity.serviceConnectionTokens.list redis.authTokens.get
    parametermanager.versions.render publicca.externalAccountKeys.create
    secretmanager.versions.access sql.sslCerts.insert storage.hmacKeys.create
    networkconnectivity.serviceConnectionTokens.create
    networkconnectivity.serviceConnectionTokens.get
    composer.userWorkloadsSecrets.get vmwareengine.hcxActivationKeys.create
    vmwareengine.hcxActivationKeys.get vmwareengine.hcxActivationKeys.list
    mybusinessverifications.verificationTokens.generate
    """
)
"""The same as `api.resource.verb`, where the verb alone doesn't say it."""

_ENDS = _words(
    "delete destroy obliterate purge expunge evict wipe clear empty terminate drop truncate"
)
_FINAL = _words(
    "androidpublisher.revoke privateca.revoke vmwareengine.privateCloudDeletionNow"
    " oracledatabase.removeVirtualMachine"
)
_PAYS = _words(
    "refund refundexternaltransaction createrefundinvoice instorerefundlineitem"
    " returnrefundlineitem reviewrefund purchase"
)


def google_kind(method: Method) -> Kind:
    """The kind of a method; only what is surely a read is called one."""
    name = f"{method.api}.{method.verb}"
    if name in _ACTS:
        return _ACTS[name]
    kind = _plain_kind(method, name)
    if kind is not Kind.READ and _changes_access(method):
        return Kind.ADMIN
    return kind


def _plain_kind(method: Method, name: str) -> Kind:
    http_method = method.http_method
    if http_method == "GET":
        return _GET_ACTS.get(name, Kind.READ)
    verb = main_verb(method_words(method))
    if http_method == "POST" and _reads_by_post(method, name, verb):
        return Kind.READ
    named = _KIND_BY_VERB.get(verb) or KIND_BY_VERB.get(verb, Kind.UNKNOWN)
    if http_method == "DELETE":
        return Kind.DELETE
    if named is Kind.READ or named is Kind.UNKNOWN:
        return Kind.EXECUTE if http_method == "POST" else Kind.UPDATE
    return named


def _reads_by_post(method: Method, name: str, verb: str) -> bool:
    if name in _NOT_READS:
        return False
    if method.verb == "testIamPermissions" or name in _POST_READS:
        return True
    if method.verb == "wait" and method.resource.lower().endswith("operations"):
        return True
    return verb in _READ_VERBS and method_words(method)[0] != "async"


def _changes_access(method: Method) -> bool:
    if method.verb in _ADMIN_ACTS:
        return True
    if method.verb.startswith(_SIGNS_IN):
        return False
    if f"{method.api}.{method.resource}" in _NOT_ADMIN:
        return False
    if method.api == "orgpolicy" or (method.api, method.resource) in _ADMIN_PAIRS:
        return True
    return method.resource in _ADMIN_RESOURCES


_ADMIN_PAIRS = frozenset(
    {
        ("iam", "policies"), ("iam", "providers"), ("iam", "credentials"), ("iam", "scimTenants"),
        ("cloudidentity", "policies"), ("iap", "brands"), ("identitytoolkit", "accounts"),
        ("identitytoolkit", "relyingparty"), ("identitytoolkit", "tenants"),
        ("androidpublisher", "grants"), ("content", "credentials"),
        ("agentidentity", "credentials"),
    }
)  # fmt: skip
"""Resources that are about access in one API only."""


def google_sensitivity(method: Method) -> str:
    """`credentials` for what makes them or sends secrets back."""
    whole = f"{method.api}.{method.resource}.{method.verb}"
    is_marked = method.verb in _SECRET_ACTS or whole in _SECRET_METHODS
    return "credentials" if is_marked else ""


def can_be_undone(method: Method, kind: Kind) -> bool:
    """Whether what a method does can be taken back: not for deletes of what has no `undelete`, for
    what is sent, and for money that is paid out."""
    verb = main_verb(method_words(method))
    if kind is Kind.SEND or method.verb in _PAYS or f"{method.api}.{method.verb}" in _FINAL:
        return False
    if kind is Kind.ADMIN and method.resource not in _GONE_FOR_GOOD:
        return True
    deletes = verb in _ENDS or (method.http_method == "DELETE" and not verb.startswith("un"))
    if not deletes or verb in ("trash", "remove", "revoke", "cancel"):
        return True
    return any(name.startswith("undelete") for name in method.siblings)


_GONE_FOR_GOOD = _words("keys users groups serviceAccounts hmacKeys sshPublicKeys userCreds tokens")
"""Of what says who may do what, that which can't be made again as it was."""


def is_creation(method: Method) -> bool:
    """Whether a method makes one new thing in a collection."""
    return method.verb in ("insert", "create") and bool(resource_nouns(method))
