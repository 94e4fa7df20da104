"""The packages that the catalog of Azure is made from: one of Microsoft's a resource provider."""

from __future__ import annotations

from gateway.canonicalize.catalog.file import Source

PACKAGES = tuple(
    Source("pypi", f"azure-mgmt-{name}", version, "MIT", sha256)
    for name, version, sha256 in (
        ("advisor", "9.0.1", "7ffaa0afab4835e311140c9e9e037e552a70d8ec95e4618997aa63bf6f769510"),
        (
            "apimanagement",
            "5.0.0",
            "b88c42a392333b60722fb86f15d092dfc19a8d67510dccd15c217381dff4e6ec",
        ),
        (
            "appconfiguration",
            "5.0.0",
            "a9ccf6f24dd9f66f5f13bb22c5946c20da7a9007a31dba19636883247789d6a5",
        ),
        (
            "appcontainers",
            "5.1.0",
            "cf92a58c7bd609199da9530bf43c16e1c2725e4bb9e656c00c36a335e12947cb",
        ),
        (
            "applicationinsights",
            "4.1.0",
            "9e71f29b01e505a773501451d12fd6a10482cf4b13e9ac2bff72f5380496d979",
        ),
        (
            "authorization",
            "4.0.0",
            "d8feeb3842e6ddf1a370963ca4f61fb6edc124e8997b807dd025bc9b2379cd1a",
        ),
        ("automation", "2.0.0", "63ede9da249e1f44820274b5d1487ac6fcb9f32fabe9de61b91eb4c1d08444c6"),
        ("batch", "19.0.0", "5d25a905e4600134f210cfea0a52dd63fff96fd872d7479164ba86e051d47e45"),
        ("billing", "8.0.0", "46d63e67a4e05b505e6f7496eb0c9b7c79604cf600f4f436dd860fa2a85055c5"),
        ("botservice", "2.0.0", "d78d2d153ff26d32ac3498c0395b4d084e9bd2e63897363b58aec943caca05ea"),
        ("cdn", "14.1.0", "debce8684879fd8a99821fb4fdf23ab1cfd40f32807662a6c33edd107f1b1651"),
        (
            "cognitiveservices",
            "14.1.0",
            "3c0eecc00d183842a11d754f4f5c3328ff86f2d6c0a2b81b28dd7e073680258e",
        ),
        (
            "communication",
            "3.0.0",
            "318a1b47a9bf3eb6d6f5afbe3f0b96828e735e64a36575a17d453d39395083ab",
        ),
        ("compute", "39.0.0", "6e59c5d37aafa4eaa97df765ac58bb8b97ac8f32dc9993a88bc167a136fb6d7c"),
        ("confluent", "2.1.0", "fa6c0385d2378204629136589a8308c64ecc4e80c2d810d1bf57606078f4b16c"),
        (
            "consumption",
            "11.0.0",
            "7d927d2d8d9e7015a1148ae59e4bb461b7eaa6671b0f408b1528ce4184aafc5c",
        ),
        (
            "containerinstance",
            "10.1.0",
            "ee7977b7b70f2233e44ec6ce8c99027f3f7892bb3452b4bad46df340d9f98959",
        ),
        (
            "containerregistry",
            "15.0.0",
            "e7d6302e8b993b53c3167a255dd8fae75fc2f1dc0e39ae9fa97fb4b7ed5d25d1",
        ),
        (
            "containerservice",
            "41.8.0",
            "ef6569e0efe1b82d99554bcb9fd6d888850267d5c4ec94d54544c1fee26b7476",
        ),
        ("cosmosdb", "10.0.0", "36f61f40e230df6b8903392b6bd7a434418c5f98b93d934c1eb4d0991e2ae36b"),
        (
            "costmanagement",
            "5.0.0",
            "c4a6d25ebead9b68f8c05b3aed8630416acf9a9752e6c49c982bd4ca62400d69",
        ),
        ("dashboard", "2.0.0", "d4b012073b3e6e2c830d03e80ae8dcbcb84ade2c8d6872d4f150ad0527532718"),
        ("databricks", "3.0.0", "f3a22bd10c8fed307b31e7cbd2b51740d22566c74fa1b957b16132a7386357b6"),
        (
            "datafactory",
            "10.0.0",
            "d0e93194c9e1cd820d2ed4f92813902af89cf4421c02e72a729ae32d87171198",
        ),
        (
            "dataprotection",
            "2.2.0",
            "80f7712aab97c84d2291f547d312fccc3ab1095e1549cfb7c4fec69427cbcf35",
        ),
        (
            "desktopvirtualization",
            "2.0.0",
            "b180e6d421992a11aa535b568cbb3d527a32da6810c64b8fe17c1b587bac6558",
        ),
        ("devcenter", "1.1.0", "b286706b1329b07cc6c4c3e442b420d18d571b32d9a28afdd34d720b282d6a38"),
        (
            "devtestlabs",
            "9.0.1",
            "2f9b096a166dfdd9a7e26c85f8b13a800a0ef945d725fadfdbb4c2d7ce25511d",
        ),
        (
            "digitaltwins",
            "7.0.0",
            "ac503d7e1536726a5bba1085479ed67917a73942f85e82072d08bfba891f4b80",
        ),
        ("dns", "9.0.0", "00bd1d9d679d77aeba9178782d03c833549a4077147c9d78fedbfcd5909be633"),
        (
            "dnsresolver",
            "1.1.0",
            "fd13396a7cf223ea63ad3d7083f6c87611887f428a9582341672fdc382a0072d",
        ),
        ("elasticsan", "2.0.0", "6678de4d861cf87a8edcf530db9f38352fe07ae939df6551ee959710e8dad68a"),
        ("eventgrid", "10.4.0", "5e4637245bbff33298d5f427971b870dbb03d873a3ef68f328190a7b7a38c56f"),
        ("eventhub", "12.0.0", "2292fb6c0affdccce19ef63bba3c8add35a7fdcf1848d21f73560408c4bf4c30"),
        ("frontdoor", "2.0.0", "ce4da7099f8f58f5ce3fb375724892452ef92e31962bcc3fdbf81aee447a82f6"),
        ("hdinsight", "9.0.1", "4fd8b77fd84f91b682b9d4982838e6bec23c7e6f0d1e967b4a74f18a9bb680ec"),
        (
            "healthcareapis",
            "2.1.0",
            "dd82996ca359ce5bfe48d4693447504b4b1491f1735a3c581c0e20f7885c0dbc",
        ),
        (
            "hybridcompute",
            "10.0.0",
            "5d108933e0c754f3af8693aae09e898db3cf91304eb90ffd0bd0f1713582216b",
        ),
        ("iothub", "4.0.0", "f08f6aca5949400821045a717c9d18c214d5be27776b0d60a3c659befa267b23"),
        ("keyvault", "14.1.0", "d4e2e459adbf2752f03fb14894d30595d4e26efb3edfb22c91486c73ea01f9a6"),
        ("kusto", "4.0.0", "86da12dd0689fc2d7f22a5a5aef04f847e9d28ed9b679efbcb534f08ca6811c6"),
        (
            "loganalytics",
            "14.0.0",
            "f8c9938c4d51a6f472e253e631f67ecb043fabf4e55ac79b1e1f299dc5e46b3d",
        ),
        ("logic", "10.0.0", "525c78afedf3edb35eb0a16152c8beba89769ee1bc6af01bcdc42842a551e443"),
        (
            "machinelearningservices",
            "1.0.1",
            "c272913695b8152725be599394c88d046e987098226f8631541a336f68fba6dd",
        ),
        (
            "managedservices",
            "6.0.1",
            "976936473bb4797be9f1f85ad2f4eb14b438533354944814ce0b2a777dec0f98",
        ),
        (
            "managementgroups",
            "2.0.0",
            "d8461e05c4da0010adb6bfc935f1364ad04c20bdbaafc80ef5a9756b9ac2bdc4",
        ),
        (
            "managementpartner",
            "1.0.1",
            "778c355fd2f4e50c18928f6117e282684dea6acafed2497bd105900748e8a8b1",
        ),
        ("maps", "2.1.0", "0679075ca26128eb7dc65f0ce2ab0deef449267b7c53ba2d316e970260fd05b4"),
        (
            "marketplaceordering",
            "1.1.1",
            "6c9879fa306a44e16628fab5de067229bfce81c39d4d15d7b0c62b2540f4a5d5",
        ),
        ("monitor", "7.0.0", "ad63b5d187e21d2d34366271ade6abbeea1fcf76e313ff0f83d394d9c124aa1b"),
        ("msi", "7.1.0", "4810d5559e71bd3c4e3e8bce311753fbe993d2bda23805bb81d3ca66786ad4da"),
        (
            "mysqlflexibleservers",
            "1.0.0",
            "283f4f7140c5d94b5ca542fa8ebbd3b442263e770e1961590977a5cebcf9c4ad",
        ),
        ("netapp", "18.0.0", "12499364c9a40bb69d0a0a70c7392cc952a9d897e213d548d92756efbf2b189d"),
        ("network", "33.1.0", "c768d065799db9751999bf041fa5130bff6ab7b2ac281207a2a3845c3c1cfe6f"),
        (
            "notificationhubs",
            "8.0.0",
            "adec3271d5bf014964c98d4c10d84b92606ff4e53ab5c18eaaa39ba3be69cd5d",
        ),
        (
            "policyinsights",
            "1.0.1",
            "de91f6bdcfb0878edad9f4a3832d9b168ec4a01cd4219b51b84f158b41ce9928",
        ),
        (
            "postgresqlflexibleservers",
            "3.0.0",
            "b24c38df473896bd393e340c5ea94e2ddcce98c12257edc3dc59fea261041608",
        ),
        ("privatedns", "2.0.0", "c04bfaab7bbfaf2c432dcf4ced18ea0373032f2c87f66d78c17f83baf5930644"),
        ("purview", "1.0.1", "200dcb826af172faf58fb66cde6dd3ee536f06cb308029418d4ad558ee1eeb13"),
        ("quota", "3.0.1", "efe3939a7907324968c4fd3a53c63757fe99b3d7711dbfb19fb73bfdeb26ecda"),
        (
            "recoveryservices",
            "4.3.0",
            "8b35953fa9ab7d1c4192be20afa350bbffd2d941165fddb5aeeb7d5227c878c6",
        ),
        (
            "recoveryservicesbackup",
            "11.2.0",
            "8d4300009ef1ab2345bc3f6269a69eb0d6d6d79daee043596df6d12dd6ec43f0",
        ),
        ("redis", "14.5.0", "d98fe771a4478920bc520687ae158eb3c0e68faa073e5a27c2b6c65898572028"),
        (
            "redisenterprise",
            "3.1.0",
            "8af01cb7929ab9ebc2d47bca104dbb6b0110e276932ec7a9f1f3d91449d4c617",
        ),
        ("relay", "2.1.0", "319ec2cd1d8c7cf3aa2347b2134f8d2d63c2d65f41fbee33de0bf5d17e257838"),
        (
            "reservations",
            "3.0.0",
            "854734914480f3a472436ad15c2b73ff4cbef5503031750024990f36a7765067",
        ),
        ("resource", "26.0.0", "ef36559a4c0843b4272aa584efb455c686e4c3f6357421b38c82f405c01a9a9f"),
        (
            "resource-deployments",
            "2.0.0",
            "2fb35ae81649fd391994898cd7b434ad10ab3db2f2c08005a2dc0ee3bed00a27",
        ),
        (
            "resource-deploymentstacks",
            "1.0.0",
            "e36455d3e8afed7a7eb129fc69361d6936a94c68aef3f18574c1a73970e8204e",
        ),
        (
            "resource-features",
            "1.0.0",
            "b33d11deb469743f933441639274930cb2201574cc4048e423599fbae1276982",
        ),
        (
            "resource-locks",
            "1.0.0",
            "c8283a34c0fccb11b7ce9548dcba06588405604ca78d9eecc9c0d5832703aca3",
        ),
        (
            "resource-policy",
            "1.0.0",
            "265b7c69050e915812a9b63dc304d803daca37cb484e20027f07949505a944b1",
        ),
        (
            "resource-subscriptions",
            "1.0.0",
            "229d1bdafe74f03ea7a6ef1fa20f003538fff832090167c6ed8b001260e50fb1",
        ),
        (
            "resource-templatespecs",
            "1.0.0",
            "ba5f65db04e6f925af761af8abfe6141a2db48673a8f10ccc94f44f8205356ac",
        ),
        (
            "resourcegraph",
            "8.0.1",
            "de66eaa988c10999054ac77d31e44c112fbecfb829f56fd79bcff5649b4dd50b",
        ),
        (
            "resourcehealth",
            "1.0.0",
            "0e74848a033b10caba05fcccf619ce26493d6e52d2e64d723f170ddb6b163f43",
        ),
        ("search", "9.2.0", "29dbbec94c4668c65a5e5138a724532d5f08d3ed1cfcb458f9da46dc8e5400ea"),
        ("security", "7.0.0", "85a6d8b7a5cd74884a548ed53fed034449f54a9989edd64e9020c5837db96933"),
        (
            "securityinsight",
            "1.0.0",
            "400c57a96c1385ff9f5c84e8b37b9c3cbb3948971d5c8385e245f51ebc3a199e",
        ),
        (
            "servicebus",
            "10.0.0",
            "a3e243b8114000cc8a72d69d10d64c5939680b2fcb7108c92b536880fea262f2",
        ),
        (
            "servicefabricmanagedclusters",
            "3.0.0",
            "2c33026d3f71a19de9f1377d76fafd9aace4cd726239851a6353110289870076",
        ),
        ("signalr", "1.2.0", "60ca153831d293ada9697d18d5689f2521c55e460a6ef66b6b261740e8a1b6b6"),
        ("sql", "4.0.0", "479cb5c3ef5b3cee8911965c1312038537801f564543e773227d9ad1600c630c"),
        (
            "sqlvirtualmachine",
            "1.0.0",
            "c2d7ffd24ef0dbe86cf43baa40710d526058b56c5b6b3db942e5993eff001625",
        ),
        ("storage", "25.3.0", "cb26707847202a4eb34d6d4ba621d9f4d0b322b2af1565da6109d2a1ec161b8e"),
        (
            "storagecache",
            "4.1.0",
            "5f848ea18c86207a14562a9093d24fe62ce6b514e58d976959aa2ea555f3f0de",
        ),
        (
            "storagesync",
            "2.1.0",
            "fa3c96d9a7b8aa637bce00b1d279b9b1bfa315447ccfcd6be03101c3f4e6d914",
        ),
        (
            "streamanalytics",
            "1.0.0",
            "d8ed59450d9986e26450f25ebf0e5e57eef7996c2c0fc0e68b3e8e7f9c2a61da",
        ),
        (
            "subscription",
            "3.1.1",
            "38d4574a8d47fa17e3587d756e296cb63b82ad8fb21cd8543bcee443a502bf48",
        ),
        ("support", "7.0.0", "4bf22c399f91f4aacb6a3ed97c99323e4d4e9992cb1fe16a02a71f44f7f5595e"),
        ("synapse", "2.0.0", "e901274009be843a7bf2eedeab32c0941fabb2addea9a1ad1560395073965f0f"),
        (
            "trafficmanager",
            "2.0.0",
            "2691d36b3ac590f8af3eeef71d5bd34bfcb10ce6fe73cafdcd6662fd4dca5843",
        ),
        ("web", "11.0.1", "de06c73ea9a9076cbdad3ed1b463438e004c20ec96fba1d06f8f0a838c002ab7"),
        ("webpubsub", "2.0.0", "b9cbcfd4ec6bea2f03a4556bc219ada1681152fcba92912ad8d7672b2cefef40"),
    )
)
