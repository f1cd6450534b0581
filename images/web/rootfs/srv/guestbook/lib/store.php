<?php
// The guest book's whole storage: one table and one folder. Both come from /etc/lab/guestbook.ini, so that a cluster
// with a database and a shared filesystem changes two lines there and nothing here.
declare(strict_types=1);

final class Store
{
    private const IMAGES = ['image/png' => 'png', 'image/jpeg' => 'jpg', 'image/gif' => 'gif', 'image/webp' => 'webp'];
    private PDO $db;

    public function __construct(private array $settings)
    {
        $this->db = new PDO($settings['dsn'], $settings['user'] ?? null, $settings['password'] ?? null, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_TIMEOUT => 5,
        ]);
        $this->db->exec('CREATE TABLE IF NOT EXISTS posts (id VARCHAR(32) PRIMARY KEY, at DOUBLE PRECISION NOT NULL,
            author VARCHAR(80) NOT NULL, message TEXT NOT NULL, upload VARCHAR(80), node VARCHAR(63) NOT NULL)');
    }

    /** The newest posts first, each as id, at (Unix seconds), author, message, upload (a name or null) and node. */
    public function newest(int $count = 50): array
    {
        $query = $this->db->prepare('SELECT id, at, author, message, upload, node FROM posts ORDER BY at DESC LIMIT ?');
        $query->bindValue(1, $count, PDO::PARAM_INT);
        $query->execute();
        return $query->fetchAll(PDO::FETCH_ASSOC);
    }

    /** All that one author wrote, the oldest first, each as id and message. */
    public function by(string $author): array
    {
        $query = $this->db->prepare('SELECT id, message FROM posts WHERE author = ? ORDER BY at');
        $query->execute([$author]);
        return $query->fetchAll(PDO::FETCH_ASSOC);
    }

    /** Keeps a post and returns its id. $file is an entry of $_FILES or null; throws InvalidArgumentException. */
    public function add(string $author, string $message, ?array $file): string
    {
        $author = trim($author) ?: 'somebody';
        if (trim($message) === '' || strlen($message) > 4000 || strlen($author) > 80) {
            throw new InvalidArgumentException('a message has 1 to 4000 bytes, a name at most 80 bytes');
        }
        $upload = $file === null ? null : $this->keep($file);
        $id = bin2hex(random_bytes(16));
        $this->db->prepare('INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?)')
            ->execute([$id, microtime(true), $author, $message, $upload, $this->settings['node']]);
        return $id;
    }

    /** Named by content: the same picture is kept once, and a name that a visitor chose never reaches the disk. */
    private function keep(array $file): string
    {
        $type = $file['error'] === UPLOAD_ERR_OK ? (getimagesize($file['tmp_name'])['mime'] ?? '') : '';
        if (!isset(self::IMAGES[$type])) {
            throw new InvalidArgumentException('an upload is a PNG, JPEG, GIF or WebP of at most 8 MB');
        }
        $name = hash_file('sha256', $file['tmp_name']) . '.' . self::IMAGES[$type];
        if (!is_dir($this->settings['uploads'])) {
            mkdir($this->settings['uploads'], 0750, true);
        }
        if (!move_uploaded_file($file['tmp_name'], $this->settings['uploads'] . '/' . $name)) {
            throw new RuntimeException('the upload could not be kept');
        }
        return $name;
    }
}
