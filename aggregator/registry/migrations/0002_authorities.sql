-- Fingerprints of the CAs that a site has said that it trusts, as JSON.
ALTER TABLE sites ADD COLUMN authorities TEXT;
