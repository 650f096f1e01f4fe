"""Request and response payload of each operation; a file for each family, a row here for each operation."""

from __future__ import annotations

from typing import NamedTuple

from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads import (
    attributes,
    check,
    create,
    cryptographic,
    discovery,
    get,
    lifecycle,
    locate,
    register,
    rekey,
    server,
    transfer,
)


class PayloadRow(NamedTuple):
    request: type
    response: type


PAYLOADS: dict[Operation, PayloadRow] = {
    Operation.CREATE: PayloadRow(create.CreateRequest, create.CreateResponse),
    Operation.CREATE_KEY_PAIR: PayloadRow(create.CreateKeyPairRequest, create.CreateKeyPairResponse),
    Operation.REGISTER: PayloadRow(register.RegisterRequest, register.RegisterResponse),
    Operation.RE_KEY: PayloadRow(rekey.RekeyRequest, rekey.RekeyResponse),
    Operation.RE_KEY_KEY_PAIR: PayloadRow(rekey.RekeyKeyPairRequest, rekey.RekeyKeyPairResponse),
    Operation.LOCATE: PayloadRow(locate.LocateRequest, locate.LocateResponse),
    Operation.CHECK: PayloadRow(check.CheckRequest, check.CheckResponse),
    Operation.GET: PayloadRow(get.GetRequest, get.GetResponse),
    Operation.GET_ATTRIBUTES: PayloadRow(attributes.GetAttributesRequest, attributes.GetAttributesResponse),
    Operation.GET_ATTRIBUTE_LIST: PayloadRow(
        attributes.GetAttributeListRequest, attributes.GetAttributeListResponse
    ),
    Operation.ADD_ATTRIBUTE: PayloadRow(attributes.AddAttributeRequest, attributes.AddAttributeResponse),
    Operation.MODIFY_ATTRIBUTE: PayloadRow(attributes.ModifyAttributeRequest, attributes.ModifyAttributeResponse),
    Operation.DELETE_ATTRIBUTE: PayloadRow(attributes.DeleteAttributeRequest, attributes.DeleteAttributeResponse),
    Operation.ACTIVATE: PayloadRow(lifecycle.ActivateRequest, lifecycle.ActivateResponse),
    Operation.REVOKE: PayloadRow(lifecycle.RevokeRequest, lifecycle.RevokeResponse),
    Operation.DESTROY: PayloadRow(lifecycle.DestroyRequest, lifecycle.DestroyResponse),
    Operation.QUERY: PayloadRow(discovery.QueryRequest, discovery.QueryResponse),
    Operation.DISCOVER_VERSIONS: PayloadRow(discovery.DiscoverVersionsRequest, discovery.DiscoverVersionsResponse),
    Operation.ENCRYPT: PayloadRow(cryptographic.EncryptRequest, cryptographic.EncryptResponse),
    Operation.DECRYPT: PayloadRow(cryptographic.DecryptRequest, cryptographic.DecryptResponse),
    Operation.SIGN: PayloadRow(cryptographic.SignRequest, cryptographic.SignResponse),
    Operation.SIGNATURE_VERIFY: PayloadRow(
        cryptographic.SignatureVerifyRequest, cryptographic.SignatureVerifyResponse
    ),
    Operation.MAC: PayloadRow(cryptographic.MACRequest, cryptographic.MACResponse),
    Operation.MAC_VERIFY: PayloadRow(cryptographic.MACVerifyRequest, cryptographic.MACVerifyResponse),
    Operation.HASH: PayloadRow(cryptographic.HashRequest, cryptographic.HashResponse),
    Operation.RNG_RETRIEVE: PayloadRow(cryptographic.RNGRetrieveRequest, cryptographic.RNGRetrieveResponse),
    Operation.RNG_SEED: PayloadRow(cryptographic.RNGSeedRequest, cryptographic.RNGSeedResponse),
    Operation.LOG: PayloadRow(server.LogRequest, server.LogResponse),
    Operation.ADJUST_ATTRIBUTE: PayloadRow(attributes.AdjustAttributeRequest, attributes.AdjustAttributeResponse),
    Operation.SET_ATTRIBUTE: PayloadRow(attributes.SetAttributeRequest, attributes.SetAttributeResponse),
    Operation.SET_ENDPOINT_ROLE: PayloadRow(server.SetEndpointRoleRequest, server.SetEndpointRoleResponse),
    Operation.INTEROP: PayloadRow(server.InteropRequest, server.InteropResponse),
    Operation.PING: PayloadRow(server.PingRequest, server.PingResponse),
    Operation.IMPORT: PayloadRow(transfer.ImportRequest, transfer.ImportResponse),
    Operation.EXPORT: PayloadRow(transfer.ExportRequest, transfer.ExportResponse),
}
