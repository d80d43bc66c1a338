// Copyright (C) The nginx-enroll authors

// A SCEP client on Bouncy Castle, for what no packaged client sends: OAEP,
// BER in pieces, AES-GCM in AuthEnvelopedData, a client with an EC key that is
// answered under its challenge.
//
// It reads messages to send from a file, one in a line, as NAME=VALUE
// with spaces between (no value has one):
//
//     url, ra (who decrypts), sig (who signs answers), key, cert (files in
//     PEM), type (19), transaction, subject, dns, challenge, digest (SHA256),
//     cipher (AES128_CBC), oaep (a digest; without: PKCS #1 v1.5), ber (any),
//     issuer (the CA's certificate, for a CertPoll), out (a file)
//
// and writes for each what came back, in the same form: status, fail, text
// (spaces as _), recipient (key or password), transport, cipher, digest; the
// certificate is in the file.  Whatever is not as it should be is "error".

import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.FileReader;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;

import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1String;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERPrintableString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSAuthEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedDataStreamGenerator;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSSignedDataStreamGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.PasswordRecipient;
import org.bouncycastle.cms.PasswordRecipientInformation;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JcePasswordEnvelopedRecipient;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.Arrays;
import org.bouncycastle.util.encoders.Hex;

public class ScepClient {
    static final String SCEP = "2.16.840.1.113733.1.9.";
    static final String MESSAGE_TYPE = "2", STATUS = "3", FAIL = "4",
                        NONCE = "5", RECIPIENT = "6", TRANSACTION = "7";

    final Map<String, String> o;
    final PrivateKey key;
    final X509Certificate cert, ra, sig;
    final byte[] nonce = new byte[16];
    final String transaction;
    final Map<String, String> result = new LinkedHashMap<>();


    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());

        BufferedReader in = new BufferedReader(new FileReader(args[0]));

        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Map<String, String> o = new HashMap<>();

            for (String word : line.trim().split(" +")) {
                String[] pair = word.split("=", 2);
                o.put(pair[0], pair[1]);
            }

            Map<String, String> result;

            try {
                ScepClient client = new ScepClient(o);
                client.run();
                result = client.result;

            } catch (Exception e) {
                result = Map.of("error", e.toString().replaceAll("\\s", "_"));
            }

            StringBuilder s = new StringBuilder();
            result.forEach((k, v) -> s.append(k + "=" + v + " "));
            System.out.println(s.toString().trim());
        }
    }


    ScepClient(Map<String, String> o) throws Exception {
        this.o = o;

        try (PEMParser in = new PEMParser(new FileReader(o.get("key")))) {
            key = new JcaPEMKeyConverter()
                .getPrivateKey((PrivateKeyInfo) in.readObject());
        }

        cert = certificate(o.get("cert"));
        ra = certificate(o.get("ra"));
        sig = certificate(o.get("sig"));
        new SecureRandom().nextBytes(nonce);
        transaction = o.getOrDefault("transaction",
            Hex.toHexString(MessageDigest.getInstance("SHA-256").digest(nonce)));
    }


    static X509Certificate certificate(String file) throws Exception {
        try (PEMParser in = new PEMParser(new FileReader(file))) {
            return new JcaX509CertificateConverter()
                .getCertificate((X509CertificateHolder) in.readObject());
        }
    }


    String signatureAlgorithm(String digest) {
        return digest
               + (key.getAlgorithm().startsWith("EC") ? "withECDSA"
                                                      : "withRSA");
    }


    void run() throws Exception {
        byte[] content = type().equals("20") ? issuerAndSubject() : request();

        answer(post(sign(envelope(content))));
    }


    String type() {
        return o.getOrDefault("type", "19");
    }


    X500Name subject() {
        return new X500Name(o.get("subject"));
    }


    byte[] issuerAndSubject() throws Exception {
        ASN1EncodableVector v = new ASN1EncodableVector();

        v.add(X500Name.getInstance(certificate(o.get("issuer"))
                                   .getSubjectX500Principal().getEncoded()));
        v.add(subject());

        return new DERSequence(v).getEncoded();
    }


    byte[] request() throws Exception {
        PKCS10CertificationRequestBuilder b =
            new JcaPKCS10CertificationRequestBuilder(subject(),
                                                     cert.getPublicKey());

        if (o.containsKey("challenge")) {
            b.addAttribute(PKCSObjectIdentifiers.pkcs_9_at_challengePassword,
                           new DERPrintableString(o.get("challenge")));
        }

        if (o.containsKey("dns")) {
            ExtensionsGenerator g = new ExtensionsGenerator();
            g.addExtension(Extension.subjectAlternativeName, false,
                new GeneralNames(new GeneralName(GeneralName.dNSName,
                                                 o.get("dns"))));
            b.addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest,
                           g.generate());
        }

        String digest = o.getOrDefault("digest", "SHA256");

        return b.build(new JcaContentSignerBuilder(signatureAlgorithm(digest))
                       .build(key)).getEncoded();
    }


    /* what is BER here is in pieces of 100 octets */

    byte[] envelope(byte[] content) throws Exception {
        RecipientInfoGenerator to = new JceKeyTransRecipientInfoGenerator(ra);

        if (o.containsKey("oaep")) {
            String digest = o.get("oaep");
            to = new JceKeyTransRecipientInfoGenerator(ra,
                new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
                    PKCSObjectIdentifiers.id_RSAES_OAEP,
                    new OAEPParameterSpec(digest, "MGF1",
                        new MGF1ParameterSpec(digest),
                        PSource.PSpecified.DEFAULT)));
        }

        String cipher = o.getOrDefault("cipher", "AES128_CBC");
        OutputEncryptor encryptor = new JceCMSContentEncryptorBuilder(
            (ASN1ObjectIdentifier) CMSAlgorithm.class.getField(cipher)
                .get(null)).build();
        CMSProcessableByteArray data = new CMSProcessableByteArray(content);

        if (encryptor instanceof OutputAEADEncryptor) {
            CMSAuthEnvelopedDataGenerator g =
                new CMSAuthEnvelopedDataGenerator();
            g.addRecipientInfoGenerator(to);
            return encoded(g.generate(data, (OutputAEADEncryptor) encryptor)
                           .toASN1Structure());
        }

        if (o.containsKey("ber")) {
            CMSEnvelopedDataStreamGenerator g =
                new CMSEnvelopedDataStreamGenerator();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            g.addRecipientInfoGenerator(to);
            g.setBufferSize(100);
            try (OutputStream to_out = g.open(out, encryptor)) {
                to_out.write(content);
            }
            return out.toByteArray();
        }

        CMSEnvelopedDataGenerator g = new CMSEnvelopedDataGenerator();
        g.addRecipientInfoGenerator(to);
        return encoded(g.generate(data, encryptor).toASN1Structure());
    }


    byte[] encoded(ASN1Encodable structure) throws Exception {
        return structure.toASN1Primitive().getEncoded(
            o.containsKey("ber") ? ASN1Encoding.BER : ASN1Encoding.DER);
    }


    static Attribute attribute(String oid, ASN1Encodable value) {
        return new Attribute(new ASN1ObjectIdentifier(SCEP + oid),
                             new DERSet(value));
    }


    byte[] sign(byte[] content) throws Exception {
        ASN1EncodableVector v = new ASN1EncodableVector();

        v.add(attribute(MESSAGE_TYPE, new DERPrintableString(type())));
        v.add(attribute(TRANSACTION, new DERPrintableString(transaction)));
        v.add(attribute(NONCE, new DEROctetString(nonce)));

        SignerInfoGenerator signer = new JcaSimpleSignerInfoGeneratorBuilder()
            .setSignedAttributeGenerator(
                new DefaultSignedAttributeTableGenerator(
                    new AttributeTable(v)))
            .build(signatureAlgorithm(o.getOrDefault("digest", "SHA256")), key,
                   cert);

        if (o.containsKey("ber")) {
            CMSSignedDataStreamGenerator g =
                new CMSSignedDataStreamGenerator();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            g.addSignerInfoGenerator(signer);
            g.addCertificate(new X509CertificateHolder(cert.getEncoded()));
            g.setBufferSize(100);
            try (OutputStream to = g.open(out, true)) {
                to.write(content);
            }
            return out.toByteArray();
        }

        CMSSignedDataGenerator g = new CMSSignedDataGenerator();
        g.addSignerInfoGenerator(signer);
        g.addCertificate(new X509CertificateHolder(cert.getEncoded()));
        return encoded(g.generate(new CMSProcessableByteArray(content), true)
                       .toASN1Structure());
    }


    byte[] post(byte[] message) throws Exception {
        HttpURLConnection c = (HttpURLConnection)
            new URL(o.get("url") + "?operation=PKIOperation").openConnection();

        c.setConnectTimeout(10000);
        c.setReadTimeout(10000);
        c.setDoOutput(true);
        c.setRequestProperty("Content-Type", "application/x-pki-message");
        c.getOutputStream().write(message);

        check("HTTP_" + c.getResponseCode(), c.getResponseCode() == 200);
        check("type", "application/x-pki-message".equals(c.getContentType()));

        return c.getInputStream().readAllBytes();
    }


    static void check(String what, boolean good) throws Exception {
        if (!good) {
            throw new Exception(what);
        }
    }


    static ASN1Encodable value(SignerInformation signer, String oid)
        throws Exception
    {
        Attribute a = signer.getSignedAttributes()
            .get(new ASN1ObjectIdentifier(oid));

        return a == null ? null : a.getAttrValues().getObjectAt(0);
    }


    static String text(SignerInformation signer, String oid) throws Exception {
        ASN1Encodable v = value(signer, oid);

        return v == null ? null : ((ASN1String) v).getString();
    }


    void answer(byte[] der) throws Exception {
        CMSSignedData signed = new CMSSignedData(der);
        Collection<SignerInformation> signers =
            signed.getSignerInfos().getSigners();

        check("signers", signers.size() == 1);

        SignerInformation signer = signers.iterator().next();

        check("signature", signer.verify(
            new JcaSimpleSignerInfoVerifierBuilder().build(sig)));
        check("messageType", "3".equals(text(signer, SCEP + MESSAGE_TYPE)));
        check("transactionID",
              transaction.equals(text(signer, SCEP + TRANSACTION)));
        check("recipientNonce", Arrays.areEqual(nonce,
            ((ASN1OctetString) value(signer, SCEP + RECIPIENT)).getOctets()));
        check("senderNonce",
            ((ASN1OctetString) value(signer, SCEP + NONCE)).getOctets().length
            == 16);

        String status = text(signer, SCEP + STATUS);

        result.put("status", status);
        result.put("digest", signer.getDigestAlgOID());

        if (status.equals("2")) {
            result.put("fail", text(signer, SCEP + FAIL));
            result.put("text", String.valueOf(text(signer,
                "1.3.6.1.5.5.7.24.1")).replace(' ', '_'));
        }

        if (status.equals("0")) {
            byte[] content = (byte[]) signed.getSignedContent().getContent();
            issued(new CMSSignedData(open(content)));
        }
    }


    byte[] open(byte[] content) throws Exception {
        ASN1ObjectIdentifier type = ASN1ObjectIdentifier.getInstance(
            ASN1Sequence.getInstance(content).getObjectAt(0));
        boolean auth = type.equals(CMSObjectIdentifiers.authEnvelopedData);

        Collection<RecipientInformation> recipients;

        if (auth) {
            CMSAuthEnvelopedData data = new CMSAuthEnvelopedData(content);
            recipients = data.getRecipientInfos().getRecipients();
            result.put("cipher", ASN1Sequence.getInstance(
                org.bouncycastle.asn1.cms.AuthEnvelopedData.getInstance(
                    data.toASN1Structure().getContent())
                .getAuthEncryptedContentInfo()
                .getContentEncryptionAlgorithm().toASN1Primitive())
                .getObjectAt(0).toString());

        } else {
            CMSEnvelopedData data = new CMSEnvelopedData(content);
            recipients = data.getRecipientInfos().getRecipients();
            result.put("cipher", data.getEncryptionAlgOID());
        }

        check("recipients", recipients.size() == 1);

        RecipientInformation to = recipients.iterator().next();
        Recipient with;

        if (to instanceof PasswordRecipientInformation) {
            check("no_password_for_AuthEnvelopedData", !auth);
            result.put("recipient", "password");
            with = new JcePasswordEnvelopedRecipient(
                       o.get("challenge").toCharArray())
                   .setPasswordConversionScheme(
                       PasswordRecipient.PKCS5_SCHEME2_UTF8);

        } else {
            result.put("recipient", "key");
            result.put("transport", to.getKeyEncryptionAlgOID());
            with = auth ? new JceKeyTransAuthEnvelopedRecipient(key)
                        : new JceKeyTransEnvelopedRecipient(key);
        }

        return to.getContent(with);
    }


    void issued(CMSSignedData certs) throws Exception {
        Collection<X509CertificateHolder> all =
            certs.getCertificates().getMatches(null);

        check("certificates", all.size() == 1);
        Files.write(Paths.get(o.get("out")),
                    all.iterator().next().getEncoded());
    }
}
