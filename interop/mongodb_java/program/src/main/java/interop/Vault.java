package interop;

import com.mongodb.ClientEncryptionSettings;
import com.mongodb.MongoClientSettings;
import com.mongodb.MongoException;
import com.mongodb.bulk.BulkWriteResult;
import com.mongodb.client.FindIterable;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoDatabase;
import com.mongodb.client.internal.ClientEncryptionImpl;
import com.mongodb.client.model.UpdateOneModel;
import com.mongodb.client.model.vault.DataKeyOptions;
import com.mongodb.client.model.vault.EncryptOptions;
import com.mongodb.client.model.vault.RewrapManyDataKeyOptions;
import com.mongodb.client.vault.ClientEncryption;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.bson.BsonArray;
import org.bson.BsonBinary;
import org.bson.BsonDocument;
import org.bson.BsonInt32;
import org.bson.BsonString;
import org.bson.BsonValue;
import org.bson.RawBsonDocument;
import org.bson.codecs.BsonDocumentCodec;
import org.bson.conversions.Bson;

/**
 * An application that encrypts fields, by the Java driver's ClientEncryption.
 *
 * <p>It is to the suite what ../mongodb/vault.py is: requests as JSON in the file that is named first, answers to the
 * second. All of it is MongoDB's own but for the collection of data keys, which is a file: a line for each document.
 */
public final class Vault {
    private final Path path;

    private Vault(Path path) {
        this.path = path;
    }

    private List<BsonDocument> documents() throws IOException {
        List<BsonDocument> found = new ArrayList<>();
        if (Files.exists(path)) {
            for (String line : Files.readAllLines(path)) {
                found.add(new RawBsonDocument(Base64.getDecoder().decode(line)).decode(new BsonDocumentCodec()));
            }
        }
        return found;
    }

    private void write(List<BsonDocument> documents) throws IOException {
        List<String> lines = new ArrayList<>();
        for (BsonDocument each : documents) {
            var buffer = new RawBsonDocument(each, new BsonDocumentCodec()).getByteBuffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            lines.add(Base64.getEncoder().encodeToString(bytes));
        }
        Files.write(path, lines);
    }

    /** Everything, one name, or what libmongocrypt asks for: ids or names. */
    private static boolean matches(BsonDocument document, BsonDocument wanted) {
        BsonArray names = document.getArray("keyAltNames", new BsonArray());
        if (wanted.containsKey("keyAltNames")) {
            return names.contains(wanted.get("keyAltNames"));
        }
        if (!wanted.containsKey("$or")) {
            return true;
        }
        BsonArray either = wanted.getArray("$or");
        BsonArray ids = either.get(0).asDocument().getDocument("_id").getArray("$in");
        BsonArray others = either.get(1).asDocument().getDocument("keyAltNames").getArray("$in");
        return ids.contains(document.get("_id")) || names.stream().anyMatch(others::contains);
    }

    private FindIterable<?> find(Bson wanted) throws IOException {
        List<BsonDocument> found =
                documents().stream().filter(each -> matches(each, wanted.toBsonDocument())).toList();
        return stub(FindIterable.class, (self, method, arguments) -> switch (method.getName()) {
            case "first" -> found.isEmpty() ? null : found.get(0);
            case "into" -> {
                @SuppressWarnings("unchecked")
                Collection<BsonDocument> into = (Collection<BsonDocument>) arguments[0];
                into.addAll(found);
                yield into;
            }
            default -> throw new UnsupportedOperationException(method.getName());
        });
    }

    private Object insert(BsonDocument document) throws IOException {
        List<BsonDocument> documents = documents();
        documents.add(document);
        write(documents);
        return null;
    }

    private BulkWriteResult update(List<?> updates) throws IOException {
        List<BsonDocument> documents = documents();
        for (Object each : updates) {
            UpdateOneModel<?> update = (UpdateOneModel<?>) each;
            BsonValue id = update.getFilter().toBsonDocument().get("_id");
            documents.stream()
                    .filter(document -> document.get("_id").equals(id))
                    .forEach(document -> document.putAll(update.getUpdate().toBsonDocument().getDocument("$set")));
        }
        write(documents);
        return BulkWriteResult.acknowledged(0, updates.size(), 0, updates.size(), List.of(), List.of());
    }

    /** A server that has nothing but this collection. */
    private MongoClient server() {
        MongoCollection<?> collection =
                stub(MongoCollection.class, (self, method, arguments) -> switch (method.getName()) {
                    case "withReadConcern", "withWriteConcern", "withTimeout" -> self;
                    case "getCodecRegistry" -> MongoClientSettings.getDefaultCodecRegistry();
                    case "find" -> find(arguments == null ? new BsonDocument() : (Bson) arguments[0]);
                    case "insertOne" -> insert((BsonDocument) arguments[0]);
                    case "bulkWrite" -> update((List<?>) arguments[0]);
                    default -> throw new UnsupportedOperationException(method.getName());
                });
        MongoDatabase database = stub(MongoDatabase.class, (self, method, arguments) -> collection);
        return stub(MongoClient.class, (self, method, arguments) -> database);
    }

    private static <T> T stub(Class<T> kind, InvocationHandler handler) {
        return kind.cast(Proxy.newProxyInstance(Vault.class.getClassLoader(), new Class<?>[] {kind}, handler));
    }

    private static SSLContext tls(Path ca, Path both) throws GeneralSecurityException, IOException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", certificate(ca));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry("own", key(Files.readString(both)), new char[0], new Certificate[] {certificate(both)});
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static Certificate certificate(Path pem) throws GeneralSecurityException, IOException {
        try (InputStream stream = Files.newInputStream(pem)) {
            return CertificateFactory.getInstance("X.509").generateCertificate(stream);
        }
    }

    private static PrivateKey key(String pem) throws GeneralSecurityException {
        String begin = "-----BEGIN" + " PRIVATE KEY-----";
        String text = pem.substring(pem.indexOf(begin) + begin.length(), pem.indexOf("-----END" + " PRIVATE KEY-----"));
        PKCS8EncodedKeySpec bytes = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(text));
        try {
            return KeyFactory.getInstance("EC").generatePrivate(bytes);
        } catch (InvalidKeySpecException notThat) {
            return KeyFactory.getInstance("RSA").generatePrivate(bytes);
        }
    }

    private static BsonDocument masterKey(BsonDocument request) {
        BsonDocument key = new BsonDocument();
        if (request.getBoolean("delegated").getValue()) {
            key.append("delegated", request.get("delegated"));
        }
        if (request.containsKey("key_id")) {
            key.append("keyId", request.get("key_id"));
        }
        return key;
    }

    private static BsonDocument perform(ClientEncryption encryption, BsonDocument request) {
        switch (request.getString("action").getValue()) {
            case "create" -> {
                List<String> names = List.of(request.getString("name").getValue());
                encryption.createDataKey(
                        "kmip", new DataKeyOptions().masterKey(masterKey(request)).keyAltNames(names));
                return new BsonDocument();
            }
            case "encrypt" -> {
                String algorithm = request.getString("algorithm", new BsonString("Random")).getValue();
                EncryptOptions options = new EncryptOptions("AEAD_AES_256_CBC_HMAC_SHA_512-" + algorithm)
                        .keyAltName(request.getString("name").getValue());
                byte[] made = encryption.encrypt(request.get("value"), options).getData();
                return new BsonDocument("ciphertext", new BsonString(Base64.getEncoder().encodeToString(made)));
            }
            case "decrypt" -> {
                byte[] bytes = Base64.getDecoder().decode(request.getString("ciphertext").getValue());
                return new BsonDocument("value", encryption.decrypt(new BsonBinary((byte) 6, bytes)));
            }
            case "rewrap" -> {
                RewrapManyDataKeyOptions options =
                        new RewrapManyDataKeyOptions().provider("kmip").masterKey(masterKey(request));
                int count = encryption
                        .rewrapManyDataKey(new BsonDocument(), options)
                        .getBulkWriteResult()
                        .getModifiedCount();
                return new BsonDocument("rewrapped", new BsonInt32(count));
            }
            default -> throw new IllegalArgumentException(request.toJson());
        }
    }

    public static void main(String[] words) throws Exception {
        BsonDocument asked = BsonDocument.parse(Files.readString(Path.of(words[0])));
        Vault vault = new Vault(Path.of(asked.getString("vault").getValue()));
        SSLContext context = tls(
                Path.of(asked.getString("ca").getValue()),
                Path.of(asked.getString("certificate_and_key").getValue()));
        ClientEncryptionSettings settings = ClientEncryptionSettings.builder()
                .keyVaultMongoClientSettings(MongoClientSettings.builder().build())
                .keyVaultNamespace("encryption.__keyVault")
                .kmsProviders(Map.of("kmip", Map.of("endpoint", asked.getString("server").getValue())))
                .kmsProviderSslContextMap(Map.of("kmip", context))
                .build();
        ClientEncryption encryption = new ClientEncryptionImpl(vault.server(), settings);
        BsonArray answers = new BsonArray();
        for (BsonValue each : asked.getArray("requests")) {
            BsonDocument request = each.asDocument();
            BsonDocument answer;
            try {
                if (request.containsKey("master_of")) {
                    BsonDocument found = encryption.getKeyByAltName(request.getString("master_of").getValue());
                    request.append("key_id", found.getDocument("masterKey").get("keyId"));
                }
                answer = perform(encryption, request);
            } catch (MongoException error) {
                answer = new BsonDocument("error", new BsonString(error.getClass().getSimpleName() + ": " + error));
            }
            answers.add(answer);
        }
        for (int number = 0; number < answers.size(); number++) {
            BsonValue name = asked.getArray("requests").get(number).asDocument().get("name");
            for (BsonDocument each : vault.documents()) {
                if (each.getArray("keyAltNames").get(0).equals(name)) {
                    answers.get(number).asDocument().append("master_key", each.get("masterKey"));
                }
            }
        }
        String said = new BsonDocument("answers", answers).toJson();
        Files.writeString(Path.of(words[1]), said.substring(said.indexOf('['), said.lastIndexOf('}')));
    }
}
