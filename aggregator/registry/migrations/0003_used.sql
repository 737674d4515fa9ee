-- When a site was first let in with a certificate: before, nobody knows whether it has arrived.
ALTER TABLE certificates ADD COLUMN used BIGINT;
