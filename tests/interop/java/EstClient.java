import java.io.FileReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.HttpAuth;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.Store;

/**
 * Drives Bouncy Castle's own EST client against a server on this machine.
 *
 * cacerts SERVER ANCHORS OUT | csrattrs SERVER ANCHORS OUT
 * enroll SERVER ANCHORS OUT CSR NETRC | reenroll SERVER ANCHORS OUT CSR CERTIFICATE KEY
 *
 * SERVER is host:port, optionally with /label. Everything else names a file, PEM except OUT of csrattrs (DER).
 */
public final class EstClient {
    private static final char[] NO_PASSWORD = new char[0];

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        String operation = args[0];
        Path out = Path.of(args[3]);
        JsseESTServiceBuilder builder = builder(args[1], anchors(args[2]));
        switch (operation) {
            case "cacerts" -> writeCertificates(builder.build().getCACerts().getCertificateStore(), out);
            case "csrattrs" -> writeAttributes(builder.build().getCSRAttributes(), out);
            case "enroll" -> enroll(builder.build(), false, request(args[4]), credentials(args[5]), out);
            case "reenroll" -> {
                builder.withKeyManagers(keyManagers(args[5], args[6]));
                enroll(builder.build(), true, request(args[4]), null, out);
            }
            default -> throw new IllegalArgumentException(operation);
        }
    }

    private static JsseESTServiceBuilder builder(String server, Set<TrustAnchor> anchors) {
        String[] parts = server.split("/", 2);
        JsseESTServiceBuilder builder =
                new JsseESTServiceBuilder(parts[0], JcaJceUtils.getCertPathTrustManager(anchors, null));
        builder.withTimeout(20_000);
        if (parts.length > 1) {
            builder.withLabel(parts[1]);
        }
        return builder;
    }

    private static void enroll(
            ESTService service, boolean again, PKCS10CertificationRequest csr, ESTAuth auth, Path out) throws Exception {
        EnrollmentResponse response = service.simpleEnroll(again, csr, auth);
        if (!response.isCompleted()) {
            throw new IllegalStateException("the server answered 'come back later'");
        }
        writeCertificates(response.getStore(), out);
    }

    private static void writeAttributes(CSRRequestResponse response, Path out) throws IOException {
        Files.write(out, response.getAttributesResponse().getEncoded());
    }

    private static void writeCertificates(Store<X509CertificateHolder> store, Path out) throws IOException {
        try (JcaPEMWriter writer = new JcaPEMWriter(Files.newBufferedWriter(out))) {
            for (X509CertificateHolder certificate : ESTService.storeToArray(store)) {
                writer.writeObject(certificate);
            }
        }
    }

    private static Set<TrustAnchor> anchors(String path) throws Exception {
        Set<TrustAnchor> anchors = new HashSet<>();
        for (Object found : pemObjects(path)) {
            anchors.add(new TrustAnchor(certificate(found), null));
        }
        return anchors;
    }

    private static PKCS10CertificationRequest request(String path) throws Exception {
        return (PKCS10CertificationRequest) pemObjects(path).get(0);
    }

    /** "machine HOST login USER password SECRET" on one line, as curl reads it too. */
    private static ESTAuth credentials(String path) throws Exception {
        List<String> words = List.of(Files.readString(Path.of(path)).trim().split("\\s+"));
        String username = words.get(words.indexOf("login") + 1);
        String password = words.get(words.indexOf("password") + 1);
        return new HttpAuth(username, password.toCharArray());
    }

    private static KeyManager[] keyManagers(String certificatePath, String keyPath) throws Exception {
        X509Certificate certificate = certificate(pemObjects(certificatePath).get(0));
        PrivateKey key = new JcaPEMKeyConverter().getPrivateKey((PrivateKeyInfo) pemObjects(keyPath).get(0));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", key, NO_PASSWORD, new Certificate[] {certificate});
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, NO_PASSWORD);
        return factory.getKeyManagers();
    }

    private static X509Certificate certificate(Object pem) throws Exception {
        return new JcaX509CertificateConverter().getCertificate((X509CertificateHolder) pem);
    }

    private static List<Object> pemObjects(String path) throws IOException {
        List<Object> objects = new ArrayList<>();
        try (Reader reader = new FileReader(path); PEMParser parser = new PEMParser(reader)) {
            for (Object next = parser.readObject(); next != null; next = parser.readObject()) {
                objects.add(next);
            }
        }
        return objects;
    }
}
