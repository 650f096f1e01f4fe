//! Steps of NLnet Labs' KMIP client: what Krill and Nameshed do with it, and the operations that it has besides.
//!
//! `nlnet-steps HOST PORT CA CERTIFICATE KEY` writes a line for each step: its KMIP version, its name and, where it
//! failed, what was wrong, with tabs between. `nlnet-steps … probe` does the least, and writes what the client says;
//! `nlnet-steps … as USERNAME PASSWORD` asks one thing with a credential.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use kmip_protocol::client::tls::openssl::connect;
use kmip_protocol::client::{Client, ClientCertificate, ConnectionSettings};
use kmip_protocol::types::common::*;
use kmip_protocol::types::request::{self, Attribute, RequestPayload, RevocationReason, TemplateAttribute};
use kmip_protocol::types::response::{ManagedObject, ResponsePayload};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::ssl::SslStream;

type Kmip = Client<SslStream<TcpStream>>;
type Done = Result<(), Box<dyn Error>>;

macro_rules! check {
    ($what:expr, $($said:tt)+) => {
        if !$what {
            return Err(format!($($said)+).into());
        }
    };
}

/// A request of which the answer must be of its kind.
macro_rules! ask {
    ($kmip:expr, $request:expr, $kind:path) => {
        match $kmip.do_request($request)? {
            $kind(answer) => answer,
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    };
}

fn settings(words: &[String]) -> Result<ConnectionSettings, Box<dyn Error>> {
    let seconds = Some(Duration::from_secs(30));
    Ok(ConnectionSettings {
        host: words[0].clone(),
        port: words[1].parse()?,
        ca_cert: Some(fs::read(&words[2])?),
        client_cert: Some(ClientCertificate::SeparatePem {
            cert_bytes: fs::read(&words[3])?,
            key_bytes: Some(fs::read(&words[4])?),
        }),
        connect_timeout: seconds,
        read_timeout: seconds,
        write_timeout: seconds,
        max_response_bytes: Some(65536),
        ..Default::default()
    })
}

fn id(uid: &str) -> Option<UniqueIdentifier> {
    Some(UniqueIdentifier(uid.into()))
}

fn get(uid: &str) -> RequestPayload {
    RequestPayload::Get(id(uid), None, None, None)
}

/// The bytes of a key, as it is stored.
fn material(kmip: &Kmip, uid: &str) -> Result<(KeyFormatType, Vec<u8>), Box<dyn Error>> {
    let block = match kmip.get_key(uid)?.cryptographic_object {
        ManagedObject::SymmetricKey(key) => key.key_block,
        ManagedObject::PublicKey(key) => key.key_block,
        ManagedObject::PrivateKey(key) => key.key_block,
        other => return Err(format!("unexpected: {other:?}").into()),
    };
    match block.key_value.key_material {
        KeyMaterial::Bytes(bytes) => Ok((block.key_format_type, bytes)),
        other => Err(format!("unexpected: {other:?}").into()),
    }
}

fn private(kmip: &Kmip, uid: &str) -> Result<PKey<Private>, Box<dyn Error>> {
    let (_, bytes) = material(kmip, uid)?;
    Ok(PKey::private_key_from_der(&bytes)?)
}

fn public(kmip: &Kmip, uid: &str) -> Result<PKey<Public>, Box<dyn Error>> {
    let (format, bytes) = material(kmip, uid)?;
    check!(format == KeyFormatType::PKCS1, "the public key is {format:?}");
    Ok(PKey::from_rsa(Rsa::public_key_from_der_pkcs1(&bytes)?)?)
}

/// By Name.
fn located(kmip: &Kmip, name: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let request = RequestPayload::Locate(vec![Attribute::Name(name.into())]);
    let answer = ask!(kmip, request, ResponsePayload::Locate);
    Ok(answer.unique_identifiers.iter().map(|each| each.0.clone()).collect())
}

fn state(kmip: &Kmip, uid: &str) -> Result<State, Box<dyn Error>> {
    let request = RequestPayload::GetAttributes(id(uid), Some(vec![AttributeName("State".into())]));
    let answer = ask!(kmip, request, ResponsePayload::GetAttributes);
    match answer.attributes.unwrap_or_default().first().map(|each| &each.value) {
        Some(AttributeValue::State(state)) => Ok(*state),
        other => Err(format!("unexpected: {other:?}").into()),
    }
}

fn aes(kmip: &Kmip, name: &str) -> Result<String, Box<dyn Error>> {
    let request = RequestPayload::Create(
        ObjectType::SymmetricKey,
        TemplateAttribute::unnamed(vec![
            Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES),
            Attribute::CryptographicLength(256),
            Attribute::CryptographicUsageMask(CryptographicUsageMask::Encrypt),
            Attribute::Name(name.into()),
        ]),
    );
    Ok(ask!(kmip, request, ResponsePayload::Create).unique_identifier.0)
}

fn asked(kmip: &Kmip) -> Done {
    let answer = kmip.query()?;
    let operations = answer.operations.unwrap_or_default();
    for each in [
        Operation::CreateKeyPair,
        Operation::Sign,
        Operation::Activate,
        Operation::Revoke,
        Operation::Destroy,
        Operation::ModifyAttribute,
        Operation::RNGRetrieve,
    ] {
        check!(operations.contains(&each), "no {each} in {operations:?}");
    }
    let types = answer.object_types.unwrap_or_default();
    check!(types.contains(&ObjectType::PrivateKey), "no private key in {types:?}");
    check!(
        answer.vendor_identification.is_some_and(|each| !each.is_empty()),
        "no vendor"
    );
    Ok(())
}

fn versions(kmip: &Kmip) -> Done {
    let answer = ask!(
        kmip,
        RequestPayload::DiscoverVersions(vec![]),
        ResponsePayload::DiscoverVersions
    );
    let all: Vec<_> = answer
        .supported_versions
        .unwrap_or_default()
        .iter()
        .map(|each| (each.major, each.minor))
        .collect();
    check!(
        [(1, 0), (1, 1), (1, 2)].iter().all(|each| all.contains(each)),
        "{all:?}"
    );
    check!(all.windows(2).all(|pair| pair[0] > pair[1]), "not best first: {all:?}");
    let mine = request::ProtocolVersion(request::ProtocolVersionMajor(1), request::ProtocolVersionMinor(2));
    let answer = ask!(
        kmip,
        RequestPayload::DiscoverVersions(vec![mine]),
        ResponsePayload::DiscoverVersions
    );
    let one: Vec<_> = answer
        .supported_versions
        .unwrap_or_default()
        .iter()
        .map(|each| (each.major, each.minor))
        .collect();
    check!(one == [(1, 2)], "{one:?}");
    Ok(())
}

fn signed(kmip: &Kmip) -> Done {
    let (private_key, public_key) = kmip.create_rsa_key_pair(2048, "ksk".into(), "ksk public".into())?;
    kmip.activate_key(&private_key)?;
    let signature = kmip.sign(&private_key, b"a manifest")?;
    check!(signature.unique_identifier.0 == private_key, "another key signed");
    let theirs = public(kmip, &public_key)?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), &theirs)?;
    check!(
        verifier.verify_oneshot(&signature.signature_data, b"a manifest")?,
        "the signature does not verify"
    );
    let ours = private(kmip, &private_key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &ours)?;
    check!(
        signer.sign_oneshot_to_vec(b"a manifest")? == signature.signature_data,
        "another signature than OpenSSL's"
    );
    Ok(())
}

fn renamed(kmip: &Kmip) -> Done {
    let (private_key, _) = kmip.create_rsa_key_pair(2048, "zsk".into(), "zsk public".into())?;
    check!(
        located(kmip, "zsk")? == [private_key.clone()],
        "not found by its first name"
    );
    let answer = kmip.rename_key(&private_key, "zsk in use".into())?;
    check!(
        answer.attribute.value
            == AttributeValue::Name(NameValue("zsk in use".into()), NameType::UninterpretedTextString),
        "answered {answer:?}"
    );
    check!(located(kmip, "zsk")?.is_empty(), "found by its old name");
    check!(
        located(kmip, "zsk in use")? == [private_key.clone()],
        "not found by its new name"
    );
    Ok(())
}

fn retired(kmip: &Kmip) -> Done {
    let (private_key, public_key) = kmip.create_rsa_key_pair(2048, "old".into(), "old public".into())?;
    kmip.activate_key(&private_key)?;
    check!(state(kmip, &private_key)? == State::Active, "not Active");
    check!(kmip.destroy_key(&private_key).is_err(), "an Active key was destroyed");
    kmip.revoke_key(&private_key)?;
    check!(state(kmip, &private_key)? == State::Deactivated, "not Deactivated");
    check!(kmip.sign(&private_key, b"late").is_err(), "a revoked key signed");
    kmip.destroy_key(&private_key)?;
    kmip.destroy_key(&public_key)?;
    check!(kmip.get_key(&private_key).is_err(), "a destroyed key was fetched");
    Ok(())
}

fn unknown(kmip: &Kmip) -> Done {
    use kmip_protocol::client::Error::ItemNotFound;
    let answers = [
        kmip.get_key("no-such-key").err(),
        kmip.sign("no-such-key", b"anything").err(),
        kmip.rename_key("no-such-key", "a name".into()).err(),
    ];
    for each in answers {
        check!(matches!(each, Some(ItemNotFound(_))), "{each:?}");
    }
    aes(kmip, "after three refusals")?; // the connection is as good as before
    Ok(())
}

fn random(kmip: &Kmip) -> Done {
    let drawn = (0..4)
        .map(|_| Ok(kmip.rng_retrieve(32)?.data))
        .collect::<Result<HashSet<_>, Box<dyn Error>>>()?;
    check!(
        drawn.len() == 4 && drawn.iter().all(|each| each.len() == 32),
        "{} of 4",
        drawn.len()
    );
    Ok(())
}

fn symmetric(kmip: &Kmip) -> Done {
    let uid = aes(kmip, "an AES key")?;
    let (format, bytes) = material(kmip, &uid)?;
    check!(
        format == KeyFormatType::Raw && bytes.len() == 32,
        "{format:?}, {} bytes",
        bytes.len()
    );
    check!(located(kmip, "an AES key")? == [uid.clone()], "not found by its name");
    let answer = ask!(kmip, get(&uid), ResponsePayload::Get);
    check!(
        answer.object_type == ObjectType::SymmetricKey,
        "{:?}",
        answer.object_type
    );
    Ok(())
}

fn registered(kmip: &Kmip) -> Done {
    let bytes: Vec<u8> = (0..32).collect();
    let request = RequestPayload::Register(
        ObjectType::SymmetricKey,
        TemplateAttribute::unnamed(vec![
            Attribute::CryptographicUsageMask(CryptographicUsageMask::Encrypt),
            Attribute::Name("brought along".into()),
        ]),
        Some(request::ManagedObject::SymmetricKey(request::SymmetricKey(
            request::KeyBlock(
                KeyFormatType::Raw,
                None,
                Some(request::KeyValue(KeyMaterial::Bytes(bytes.clone()), None)),
                Some(CryptographicAlgorithm::AES),
                Some(CryptographicLength(256)),
                None,
            ),
        ))),
    );
    let uid = ask!(kmip, request, ResponsePayload::Register).unique_identifier.0;
    check!(material(kmip, &uid)?.1 == bytes, "other bytes came back");
    Ok(())
}

fn attributes(kmip: &Kmip) -> Done {
    let uid = aes(kmip, "with attributes")?;
    let contact = || Attribute::ContactInformation("key ceremony, room 2".into());
    ask!(
        kmip,
        RequestPayload::AddAttribute(id(&uid), contact()),
        ResponsePayload::AddAttribute
    );
    let named = AttributeName("Contact Information".into());
    let listed = ask!(
        kmip,
        RequestPayload::GetAttributeList(id(&uid)),
        ResponsePayload::GetAttributeList
    );
    check!(listed.attributes.contains(&named), "not listed: {listed:?}");
    let wanted = || RequestPayload::GetAttributes(id(&uid), Some(vec![named.clone()]));
    let found = ask!(kmip, wanted(), ResponsePayload::GetAttributes)
        .attributes
        .unwrap_or_default();
    check!(
        found.len() == 1 && found[0].value == AttributeValue::ContactInformation("key ceremony, room 2".into()),
        "{found:?}"
    );
    let gone = RequestPayload::DeleteAttribute(id(&uid), named.clone(), None);
    ask!(kmip, gone, ResponsePayload::DeleteAttribute);
    let found = ask!(kmip, wanted(), ResponsePayload::GetAttributes)
        .attributes
        .unwrap_or_default();
    check!(found.is_empty(), "still there: {found:?}");
    Ok(())
}

fn compromised(kmip: &Kmip) -> Done {
    let uid = aes(kmip, "seen by others")?;
    let reason = RevocationReason(RevocationReasonCode::KeyCompromise, None);
    let request = RequestPayload::Revoke(id(&uid), reason, Some(CompromiseOccurrenceDate(1_600_000_000)));
    ask!(kmip, request, ResponsePayload::Revoke);
    check!(state(kmip, &uid)? == State::Compromised, "not Compromised");
    kmip.destroy_key(&uid)?;
    check!(kmip.get_key(&uid).is_err(), "a destroyed key was fetched");
    if let Ok(kept) = state(kmip, &uid) {
        // KMIP 1.0 §4.20: a server may keep what it knows of it.
        check!(kept == State::DestroyedCompromised, "{kept}");
    }
    Ok(())
}

/// As a signer does that has one connection for all of its threads.
fn shared(kmip: &Kmip) -> Done {
    let (private_key, public_key) = kmip.create_rsa_key_pair(2048, "shared".into(), "shared public".into())?;
    kmip.activate_key(&private_key)?;
    let signers: Vec<_> = (0..4u8)
        .map(|number| {
            let (kmip, private_key) = (kmip.clone(), private_key.clone());
            std::thread::spawn(move || kmip.sign(&private_key, &[number]).map(|each| each.signature_data))
        })
        .collect();
    let theirs = public(kmip, &public_key)?;
    for (number, each) in signers.into_iter().enumerate() {
        let signature = each.join().map_err(|_| "a thread failed")??;
        let mut verifier = Verifier::new(MessageDigest::sha256(), &theirs)?;
        check!(
            verifier.verify_oneshot(&signature, &[number as u8])?,
            "signature {number} does not verify"
        );
    }
    Ok(())
}

/// One after the other, each with the connection of the last.
const STEPS: [(&str, &str, fn(&Kmip) -> Done); 12] = [
    ("1.2", "query", asked),
    ("1.1", "discover versions: all, and those in common", versions),
    (
        "1.2",
        "an RSA key pair made, activated, signs; the signature is OpenSSL's",
        signed,
    ),
    ("1.2", "four threads sign over one connection", shared),
    ("1.0", "a key renamed is found by its new name only", renamed),
    ("1.0", "a key revoked, destroyed; each state with its refusals", retired),
    ("1.0", "a key compromised, destroyed", compromised),
    ("1.0", "a key that is not there: Item Not Found", unknown),
    ("1.2", "random bytes", random),
    ("1.0", "an AES key made, fetched, found by its name", symmetric),
    ("1.0", "a key registered and fetched", registered),
    ("1.0", "an attribute added, listed, fetched, deleted", attributes),
];

fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut settings = settings(&words)?;
    let said = match words[5..].iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["probe"] => connect(&settings).and_then(|kmip| {
            let (private_key, public_key) =
                kmip.create_rsa_key_pair(2048, "probe".into(), "probe public".into())?;
            kmip.destroy_key(&private_key)?;
            kmip.destroy_key(&public_key)?;
            Ok("a key pair, made and destroyed")
        }),
        ["as", username, password] => {
            settings.username = Some(username.into());
            settings.password = Some(password.into());
            connect(&settings)
                .and_then(|kmip| kmip.rng_retrieve(8))
                .map(|_| "welcome")
        }
        _ => return all(&settings),
    };
    println!("{}", said.map_or_else(|error| error.to_string(), String::from));
    Ok(())
}

fn all(settings: &ConnectionSettings) -> Done {
    let kmip = connect(settings)?;
    for (version, name, perform) in STEPS {
        let wrong = perform(&kmip)
            .err()
            .map_or_else(String::new, |error| error.to_string().replace(['\t', '\n'], " "));
        println!("{version}\t{name}\t{wrong}");
    }
    Ok(())
}
